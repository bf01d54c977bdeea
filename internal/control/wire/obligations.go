package wire

// Waive gives up an obligation by its name; it is its own answer.
type Waive struct {
	Obligation string `json:"obligation"`
	Reason     string `json:"reason"`
}
