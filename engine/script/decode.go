package script

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"

	"holdfast/engine/value"
)

var errShort = errors.New("encoded value is cut short")

// decoder makes values of what the record has of them, until nothing is left of
// the bytes of memory that it may use: a byte of an encoding may become a dict.
type decoder struct {
	left, most int64
}

// decode returns the value that r holds, new at each call. An empty r holds
// None. The error is a *limitError where it would take more than most bytes.
func decode(r value.Raw, most int64) (starlark.Value, error) {
	d := decoder{most, most}
	return d.decode(r)
}

// decodeCounted is decode on a run's thread: what it makes is counted.
func decodeCounted(t *starlark.Thread, r value.Raw) (starlark.Value, error) {
	b := budgetOf(t)
	d := decoder{b.maxMemory, b.maxMemory}
	v, err := d.decode(r)
	if err != nil {
		return nil, err
	}
	return v, b.charge(t, int(d.most-d.left))
}

func (d *decoder) decode(r value.Raw) (starlark.Value, error) {
	if len(r) == 0 {
		return starlark.None, nil
	}
	v, rest, err := d.next(r, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the encoded value", len(rest))
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// take counts memory that is about to be used.
func (d *decoder) take(bytes int) error {
	if d.left -= int64(bytes); d.left < 0 {
		return d.exceeded()
	}
	return nil
}

func (d *decoder) exceeded() error {
	return &limitError{fmt.Sprintf("a single value would take more than the %d bytes that a run may hold", d.most)}
}

func (d *decoder) next(b []byte, depth int) (starlark.Value, []byte, error) {
	if err := value.Deep(depth); err != nil {
		return nil, nil, err
	}
	if len(b) == 0 {
		return nil, nil, errShort
	}
	if err := d.take(16); err != nil {
		return nil, nil, err
	}
	switch b[0] {
	case 0xf4:
		return starlark.False, b[1:], nil
	case 0xf5:
		return starlark.True, b[1:], nil
	case 0xf6:
		return starlark.None, b[1:], nil
	case 0xfb:
		if len(b) < 9 {
			return nil, nil, errShort
		}
		return starlark.Float(math.Float64frombits(binary.BigEndian.Uint64(b[1:]))), b[9:], nil
	}
	major, n, rest, err := value.ReadHead(b)
	if err != nil {
		return nil, nil, err
	}
	switch major {
	case value.MajorUint:
		return starlark.MakeUint64(n), rest, nil
	case value.MajorNeg:
		if n <= math.MaxInt64 {
			return starlark.MakeInt64(-1 - int64(n)), rest, nil
		}
		x := new(big.Int).SetUint64(n)
		return starlark.MakeBigInt(x.Not(x)), rest, nil
	case value.MajorBytes, value.MajorText:
		if uint64(len(rest)) < n {
			return nil, nil, errShort
		}
		if err := d.take(int(n)); err != nil {
			return nil, nil, err
		}
		if major == value.MajorBytes {
			return starlark.Bytes(rest[:n]), rest[n:], nil
		}
		return starlark.String(rest[:n]), rest[n:], nil
	case value.MajorArray:
		return d.nextList(rest, n, depth)
	case value.MajorMap:
		return d.nextDict(rest, n, depth)
	case value.MajorTag:
		return d.nextTagged(rest, n, depth)
	}
	return nil, nil, fmt.Errorf("encoded value has an unknown byte %#x", b[0])
}

func (d *decoder) nextElements(b []byte, n uint64, depth int) ([]starlark.Value, []byte, error) {
	if uint64(len(b)) < n { // each element takes a byte at least
		return nil, nil, errShort
	}
	err := d.take(32 + 16*int(n))
	if err != nil {
		return nil, nil, err
	}
	l := make([]starlark.Value, n)
	for i := range l {
		if l[i], b, err = d.next(b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return l, b, nil
}

func (d *decoder) nextList(b []byte, n uint64, depth int) (starlark.Value, []byte, error) {
	l, rest, err := d.nextElements(b, n, depth)
	if err != nil {
		return nil, nil, err
	}
	return starlark.NewList(l), rest, nil
}

func (d *decoder) nextDict(b []byte, n uint64, depth int) (starlark.Value, []byte, error) {
	if uint64(len(b))/2 < n {
		return nil, nil, errShort
	}
	if err := d.take(sizeOfTable(int(n))); err != nil {
		return nil, nil, err
	}
	dict := starlark.NewDict(int(n))
	for range n {
		k, rest, err := d.next(b, depth+1)
		if err != nil {
			return nil, nil, err
		}
		var e starlark.Value
		if e, b, err = d.next(rest, depth+1); err != nil {
			return nil, nil, err
		}
		if err := dict.SetKey(k, e); err != nil {
			return nil, nil, err
		}
	}
	return dict, b, nil
}

func (d *decoder) nextTagged(b []byte, tag uint64, depth int) (starlark.Value, []byte, error) {
	if tag == value.TagTuple || tag == value.TagSet {
		major, n, rest, err := value.ReadHead(b)
		if err != nil {
			return nil, nil, err
		}
		if major != value.MajorArray {
			return nil, nil, fmt.Errorf("encoded value has tag %d on something else than a list", tag)
		}
		l, rest, err := d.nextElements(rest, n, depth)
		if err != nil || tag == value.TagTuple {
			return starlark.Tuple(l), rest, err
		}
		if err := d.take(sizeOfTable(len(l))); err != nil {
			return nil, nil, err
		}
		s := starlark.NewSet(len(l))
		for _, e := range l {
			if err := s.Insert(e); err != nil {
				return nil, nil, err
			}
		}
		return s, rest, nil
	}
	if err := value.Untagged(b); err != nil {
		return nil, nil, err
	}
	in, rest, err := d.next(b, depth) // a tag is no level of its own: the encoder counts none
	if err != nil {
		return nil, nil, err
	}
	switch in := in.(type) {
	case starlark.String:
		if tag == value.TagSecret {
			return secret(in), rest, nil
		}
	case starlark.Bytes:
		x := new(big.Int).SetBytes([]byte(in))
		switch tag {
		case value.TagPosBig:
			return starlark.MakeBigInt(x), rest, nil
		case value.TagNegBig:
			return starlark.MakeBigInt(x.Not(x)), rest, nil
		}
	case *starlark.Dict:
		if tag == value.TagStruct {
			s, err := toStruct(in)
			return s, rest, err
		}
	}
	return nil, nil, fmt.Errorf("encoded value has tag %d on a %s", tag, in.Type())
}

func toStruct(d *starlark.Dict) (starlark.Value, error) {
	fields := make([]starlark.Tuple, 0, d.Len())
	for k, e := range d.Entries() {
		if _, ok := k.(starlark.String); !ok {
			return nil, fmt.Errorf("encoded struct has a field of type %s", k.Type())
		}
		fields = append(fields, starlark.Tuple{k, e})
	}
	return starlarkstruct.FromKeywords(starlarkstruct.Default, fields), nil
}
