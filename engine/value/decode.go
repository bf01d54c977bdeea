package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
)

var errShort = errors.New("encoded value is cut short")

// ReadHead reads the head of the next data item: its major type, its argument,
// and what follows. Major 7 (simple values and floats) is not its business.
func ReadHead(b []byte) (major byte, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, errShort
	}
	major, n = b[0]>>5, uint64(b[0]&31)
	switch {
	case n < 24:
		return major, n, b[1:], nil
	case n == 24 && len(b) > 1:
		return major, uint64(b[1]), b[2:], nil
	case n == 25 && len(b) > 2:
		return major, uint64(binary.BigEndian.Uint16(b[1:])), b[3:], nil
	case n == 26 && len(b) > 4:
		return major, uint64(binary.BigEndian.Uint32(b[1:])), b[5:], nil
	case n == 27 && len(b) > 8:
		return major, binary.BigEndian.Uint64(b[1:]), b[9:], nil
	}
	return 0, 0, nil, errShort
}

// Decode returns the value that r holds; an empty r holds nil.
func Decode(r Raw) (any, error) { return decode(r, MaxDepth+wrapping) }

// decode is Decode of what is nested at most deepest deep.
func decode(r Raw, deepest int) (any, error) {
	if len(r) == 0 {
		return nil, nil
	}
	v, rest, err := next(r, MaxDepth+wrapping-deepest)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the encoded value", len(rest))
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Next decodes the first value of b and returns what follows it.
func Next(b []byte) (any, []byte, error) { return next(b, 0) }

// Deep returns a *LimitError if what a record holds at this depth cannot have
// been written there.
func Deep(depth int) error {
	if depth > MaxDepth+wrapping {
		return errDeep
	}
	return nil
}

// Untagged returns an error if b begins with a tag: no value has two.
func Untagged(b []byte) error {
	if len(b) > 0 && b[0]>>5 == MajorTag {
		return errors.New("encoded value has a tag on a tag")
	}
	return nil
}

func next(b []byte, depth int) (any, []byte, error) {
	if err := Deep(depth); err != nil {
		return nil, nil, err
	}
	if len(b) == 0 {
		return nil, nil, errShort
	}
	switch b[0] {
	case 0xf4:
		return false, b[1:], nil
	case 0xf5:
		return true, b[1:], nil
	case 0xf6:
		return nil, b[1:], nil
	case 0xfb:
		if len(b) < 9 {
			return nil, nil, errShort
		}
		return math.Float64frombits(binary.BigEndian.Uint64(b[1:])), b[9:], nil
	}
	major, n, rest, err := ReadHead(b)
	if err != nil {
		return nil, nil, err
	}
	switch major {
	case MajorUint:
		if n <= math.MaxInt64 {
			return int64(n), rest, nil
		}
		return new(big.Int).SetUint64(n), rest, nil
	case MajorNeg:
		if n <= math.MaxInt64 {
			return -1 - int64(n), rest, nil
		}
		return new(big.Int).Not(new(big.Int).SetUint64(n)), rest, nil
	case MajorBytes, MajorText:
		if uint64(len(rest)) < n {
			return nil, nil, errShort
		}
		if major == MajorBytes {
			return append([]byte{}, rest[:n]...), rest[n:], nil
		}
		return string(rest[:n]), rest[n:], nil
	case MajorArray:
		return nextList(rest, n, depth)
	case MajorMap:
		return nextMap(rest, n, depth)
	case MajorTag:
		return nextTagged(rest, n, depth)
	}
	return nil, nil, fmt.Errorf("encoded value has an unknown byte %#x", b[0])
}

func nextList(b []byte, n uint64, depth int) (any, []byte, error) {
	if uint64(len(b)) < n { // each element takes a byte at least
		return nil, nil, errShort
	}
	l := make([]any, n)
	var err error
	for i := range l {
		if l[i], b, err = next(b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return l, b, nil
}

func nextMap(b []byte, n uint64, depth int) (any, []byte, error) {
	if uint64(len(b))/2 < n {
		return nil, nil, errShort
	}
	m := &Map{Pairs: make([]Pair, n)}
	var err error
	for i := range m.Pairs {
		if m.Pairs[i].Key, b, err = next(b, depth+1); err != nil {
			return nil, nil, err
		}
		if m.Pairs[i].Value, b, err = next(b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return m, b, nil
}

func nextTagged(b []byte, tag uint64, depth int) (any, []byte, error) {
	if err := Untagged(b); err != nil {
		return nil, nil, err
	}
	in, rest, err := next(b, depth) // a tag is no level of its own: the encoder counts none
	if err != nil {
		return nil, nil, err
	}
	switch in := in.(type) {
	case string:
		if tag == TagSecret {
			return Secret(in), rest, nil
		}
	case []byte:
		x := new(big.Int).SetBytes(in)
		switch tag {
		case TagPosBig:
			return x, rest, nil
		case TagNegBig:
			return x.Not(x), rest, nil
		}
	case []any:
		switch tag {
		case TagTuple:
			return Tuple(in), rest, nil
		case TagSet:
			return Set(in), rest, nil
		}
	case *Map:
		if tag == TagStruct {
			return &Struct{*in}, rest, nil
		}
	}
	return nil, nil, fmt.Errorf("encoded value has tag %d on a %T", tag, in)
}

// Text returns the text that r holds, sharing nothing with it.
func (r Raw) Text() (string, error) {
	v, err := Decode(r)
	if err != nil {
		return "", err
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("encoded value is a %T, not text", v)
	}
	return s, nil
}

// IsNil reports whether r holds nil.
func (r Raw) IsNil() bool { return len(r) == 0 || len(r) == 1 && r[0] == 0xf6 }
