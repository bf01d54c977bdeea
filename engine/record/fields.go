package record

import (
	"errors"
	"fmt"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// fields appends an array of values to b: of the types that a record is made
// of, none of which can fail to encode.
func fields(b []byte, vs ...any) []byte {
	b = value.AppendHead(b, value.MajorArray, uint64(len(vs)))
	for _, v := range vs {
		b = field(b, v)
	}
	return b
}

// Fields is fields for what the engine keeps beside its runs.
func Fields(b []byte, vs ...any) []byte { return fields(b, vs...) }

// field appends one value.
func field(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return value.AppendNil(b)
	case value.Raw:
		return appendRaw(b, v)
	case string:
		return value.AppendString(b, v)
	case bool:
		return value.AppendBool(b, v)
	case int:
		return value.AppendInt(b, int64(v))
	case int64:
		return value.AppendInt(b, v)
	case uint32:
		return value.AppendInt(b, int64(v))
	case uint64:
		return value.AppendHead(b, value.MajorUint, v)
	case float64:
		return value.AppendFloat(b, v)
	case []any:
		return fields(b, v...)
	}
	panic("record: a record has no fields of this type")
}

// appendRaw appends an encoded value, nil where there is none.
func appendRaw(b []byte, r value.Raw) []byte {
	if len(r) == 0 {
		return value.AppendNil(b)
	}
	return append(b, r...)
}

func unreadable(rec *journal.Record, err error) error {
	return fmt.Errorf("record %d of kind %d cannot be read: %w", rec.Seq, rec.Kind, err)
}

func intOf(r value.Raw) (int64, error) {
	major, n, rest, err := value.ReadHead(r)
	switch {
	case err != nil:
		return 0, err
	case major == value.MajorUint && len(rest) == 0 && n <= 1<<63-1:
		return int64(n), nil
	}
	return 0, errors.New("it is no whole number of 0 or more")
}

func boolOf(r value.Raw) (bool, error) {
	if len(r) == 1 && (r[0] == 0xf4 || r[0] == 0xf5) {
		return r[0] == 0xf5, nil
	}
	return false, errors.New("it is neither true nor false")
}

// listOf decodes a list of at least n elements.
func listOf(r value.Raw, n int) ([]any, error) {
	v, err := value.Decode(r)
	if err != nil {
		return nil, err
	}
	l, ok := v.([]any)
	if !ok || len(l) < n {
		return nil, fmt.Errorf("it is %s, not a list of %d or more", value.Short(v, 60), n)
	}
	return l, nil
}

// textAt returns the text at i of a list; "" where there is none.
func textAt(l []any, i int) string {
	if i >= len(l) {
		return ""
	}
	s, _ := l[i].(string)
	return s
}

// intAt returns the whole number at i of a list; 0 where there is none.
func intAt(l []any, i int) int64 {
	if i >= len(l) {
		return 0
	}
	n, _ := l[i].(int64)
	return n
}

// momentAt returns the time at i of a list, Unix milliseconds; the zero time where
// there is none.
func momentAt(l []any, i int) time.Time {
	if i >= len(l) || l[i] == nil {
		return time.Time{}
	}
	return time.UnixMilli(intAt(l, i)).UTC()
}

// boolAt returns the bool at i of a list; false where there is none.
func boolAt(l []any, i int) bool {
	if i >= len(l) {
		return false
	}
	b, _ := l[i].(bool)
	return b
}

// rawAt returns the value at i of a list, encoded; nil where there is none.
func rawAt(l []any, i int) value.Raw {
	if i >= len(l) || l[i] == nil {
		return nil
	}
	r, err := value.Encode(l[i]) // it has been decoded just now
	if err != nil {
		return nil
	}
	return r
}
