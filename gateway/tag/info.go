package tag

import "fmt"

// WriteKind says what writing a tag means to the machine, and so what recovery
// may do with a write of which it is not known whether it took effect.
type WriteKind uint8

// The kinds of a writable tag.
const (
	Set       WriteKind = iota // a state: writing the same value again changes nothing
	Pulse                      // an edge: the PLC acts on it, and may reset it by itself
	Toggle                     // each write turns something over
	Increment                  // each write adds to something
)

// String returns "set", "pulse", "toggle" or "increment".
func (k WriteKind) String() string {
	return [...]string{"set", "pulse", "toggle", "increment"}[k]
}

// Info describes a tag to those who use it.
type Info struct {
	Path       Path
	Connection string
	Driver     string
	Address    string
	Type       Type
	Units      string
	Scan       string // the scan class's name
	Writable   bool
	Kind       WriteKind // of a writable tag
	Scale      *Scale    // nil: values pass as the device has them
}

// Raw returns v, a value in engineering units, as the tag's device takes it.
// The error says what the tag takes.
func (i Info) Raw(v Value) (Value, error) {
	if i.Scale == nil {
		return Coerce(v, i.Type)
	}
	return i.Scale.Raw(v, i.Type)
}

// Shown returns what a read of the tag gives once v was written: v through the
// tag's type and scale and back. So 0.1 in a float32 is not 0.1 any more. It
// is what a confirmation has to compare with.
func (i Info) Shown(v Value) (Value, error) {
	raw, err := i.Raw(v)
	if err != nil || i.Scale == nil {
		return raw, err
	}
	eng, _ := i.Scale.Eng(raw)
	return eng, nil
}

// Reason tells why the gateway refused a read or a write without asking the device.
type Reason uint8

// The reasons of a Refusal.
const (
	NoSuchTag   Reason = iota + 1 // the path is not in the table
	NotWritable                   // the tag has no write: section
	BadValue                      // the value does not fit the tag's type
	Guarded                       // a guard (range, step, interval, interlock) says no
)

// Refusal is the error of a read or a write that was never sent to the device.
type Refusal struct {
	Path    Path
	Reason  Reason
	Message string // one sentence without the path: what was asked, what is allowed
}

// Error returns the path and the sentence.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Path, r.Message) }
