package record

import (
	"bytes"
	"fmt"

	"holdfast/engine/value"
)

// Default is what a parameter is when it is not given.
type Default struct {
	Name  string
	Value value.Raw
}

// WithoutDefaults returns a step's arguments, an encoded map by parameter,
// without those that are as they would be if they were not given; nil where none
// is left. So they stand in the record, and a step may grow a parameter: to
// a program that does not give it, the calls on record stay as they were. The
// result is args itself, or in buf's memory.
func WithoutDefaults(buf *[]byte, args value.Raw, defaults []Default) (value.Raw, error) {
	if args.IsNil() {
		return nil, nil
	}
	major, n, rest, err := value.ReadHead(args)
	if err == nil && major != value.MajorMap {
		err = fmt.Errorf("arguments are no map")
	}
	if err != nil || n == 0 {
		return nil, err
	}
	kept := uint64(0)
	var head [9]byte
	room := len(value.AppendHead(head[:0], value.MajorMap, n)) // for the head of at most n
	b := append((*buf)[:0], head[:room]...)
	for range n {
		pair := rest
		afterKey, err := value.Skip(rest)
		if err != nil {
			return nil, err
		}
		if rest, err = value.Skip(afterKey); err != nil {
			return nil, err
		}
		if given := afterKey[:len(afterKey)-len(rest)]; isDefault(pair, given, defaults) {
			continue
		}
		b = append(b, pair[:len(pair)-len(rest)]...)
		kept++
	}
	*buf = b
	switch kept {
	case 0:
		return nil, nil
	case n:
		return args, nil
	}
	h := value.AppendHead(head[:0], value.MajorMap, kept)
	from := room - len(h)
	copy(b[from:], h)
	return b[from:], nil
}

// isDefault reports whether the parameter whose name key begins with has the
// value that it has by default.
func isDefault(key []byte, given value.Raw, defaults []Default) bool {
	major, n, rest, err := value.ReadHead(key)
	if err != nil || major != value.MajorText || uint64(len(rest)) < n {
		return false
	}
	for i := range defaults {
		if d := &defaults[i]; string(rest[:n]) == d.Name {
			return bytes.Equal(given, d.Value)
		}
	}
	return false
}
