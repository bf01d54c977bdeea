package wire

// Ack says that somebody knows of an alarm; its answer is the engine.Alarm. Who
// that is, is the user of the socket's other end.
type Ack struct {
	Alarm string `json:"alarm"` // its id
}
