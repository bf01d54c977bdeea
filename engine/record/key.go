package record

import "strconv"

// Key names what must happen once, however often it is attempted: the same
// step has the same Key on each attempt, also after a restart or a move of the
// journal, and no other step has it, on no other box. It is the primary key of
// an update in a database, the Idempotency-Key of a request, the UUID of a
// message.
type Key struct {
	Box   string // identity of the journal in which the run was started; "" of none
	Run   string // the run's id
	Place Place  // of the step in the run's record
	Inner int    // of a step within another one: its place there, from 1; else 0
}

// String returns the key as text of at most 255 bytes, of printable ASCII
// without spaces: "box/run/12", and "box/run/12/1" of an inner step.
func (k Key) String() string {
	s := k.Run + "/" + k.Place.String() // neither has a slash
	if k.Box != "" {
		s = k.Box + "/" + s
	}
	if k.Inner > 0 {
		s += "/" + strconv.Itoa(k.Inner)
	}
	return s
}
