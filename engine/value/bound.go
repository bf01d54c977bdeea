package value

import "fmt"

// The bounds of one value. An encoder stops at them while it encodes: what
// stands in a value many times is one object in memory, and many in an encoding.
const (
	MaxDepth = 64       // lists, dicts and the like within one another
	MaxItems = 1 << 20  // values, with all that are within others
	MaxBytes = 16 << 20 // encoded
)

// wrapping is how many levels the record, a message and a summary put around a
// value: what they hold can be read again if it could be written.
const wrapping = 4

// maxJSON bounds the JSON of a value, in bytes. Nothing that a script can make
// and that keeps the bounds above comes near it: a zero byte, the worst, is six
// bytes of JSON. (Maps that are keys of maps, which only Go can make, do.)
const maxJSON = 8 * MaxBytes

// maxJSONItems leaves room for what is put around a value to show it.
const maxJSONItems = 2 * MaxItems

// LimitError says which bound a value exceeds.
type LimitError struct{ msg string }

// Error returns the sentence.
func (e *LimitError) Error() string { return e.msg }

var (
	errDeep  = &LimitError{fmt.Sprintf("a value that is nested more than %d deep, or contains itself, cannot be kept in the record", MaxDepth)}
	errItems = &LimitError{fmt.Sprintf("more than %d values in one cannot be kept in the record; what stands in it twice counts twice", MaxItems)}
	errBytes = &LimitError{fmt.Sprintf("a value of more than %d bytes cannot be kept in the record; what stands in it twice counts twice", MaxBytes)}
	errJSON  = &LimitError{fmt.Sprintf("a value of more than %d bytes as JSON, or %d values, cannot be shown", maxJSON, maxJSONItems)}
)

// Budget is what one encoding has taken of the bounds; the zero Budget is a
// whole one. An encoder takes from it before it appends.
type Budget struct {
	items, bytes int
	free         bool // nothing is bounded but the depth of what is shown
}

// Take counts one value that is nested depth deep, and has size bytes besides
// its head. The error is a *LimitError.
func (g *Budget) Take(depth, size int) error {
	g.items++
	g.bytes += 1 + size
	if !g.free && (depth > MaxDepth || g.items > MaxItems || g.bytes > MaxBytes) {
		return g.exceeded(depth)
	}
	return nil
}

func (g *Budget) exceeded(depth int) error {
	switch {
	case depth > MaxDepth:
		return errDeep
	case g.items > MaxItems:
		return errItems
	}
	return errBytes
}

// Fits returns a *LimitError if an encoding of so many bytes is more than can
// be kept.
func Fits(bytes int) error {
	if bytes > MaxBytes {
		return errBytes
	}
	return nil
}
