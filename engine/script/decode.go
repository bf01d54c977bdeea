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

// decode returns the value that r holds, new at each call. An empty r holds
// None.
func decode(r value.Raw) (starlark.Value, error) {
	if len(r) == 0 {
		return starlark.None, nil
	}
	v, rest, err := next(r, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the encoded value", len(rest))
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// decodeCounted is decode on a run's thread: what it makes is counted.
func decodeCounted(t *starlark.Thread, r value.Raw) (starlark.Value, error) {
	if err := budgetOf(t).work(t, uint64(len(r))*16/bytesPerStep); err != nil { // a byte may become an element of a list
		return nil, err
	}
	return decode(r)
}

func next(b []byte, depth int) (starlark.Value, []byte, error) {
	if depth > value.MaxDepth+2 {
		return nil, nil, errDeep
	}
	if len(b) == 0 {
		return nil, nil, errShort
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
		if major == value.MajorBytes {
			return starlark.Bytes(rest[:n]), rest[n:], nil
		}
		return starlark.String(rest[:n]), rest[n:], nil
	case value.MajorArray:
		return nextList(rest, n, depth)
	case value.MajorMap:
		return nextDict(rest, n, depth)
	case value.MajorTag:
		return nextTagged(rest, n, depth)
	}
	return nil, nil, fmt.Errorf("encoded value has an unknown byte %#x", b[0])
}

func nextElements(b []byte, n uint64, depth int) ([]starlark.Value, []byte, error) {
	if uint64(len(b)) < n { // each element takes a byte at least
		return nil, nil, errShort
	}
	l := make([]starlark.Value, n)
	var err error
	for i := range l {
		if l[i], b, err = next(b, depth+1); err != nil {
			return nil, nil, err
		}
	}
	return l, b, nil
}

func nextList(b []byte, n uint64, depth int) (starlark.Value, []byte, error) {
	l, rest, err := nextElements(b, n, depth)
	if err != nil {
		return nil, nil, err
	}
	return starlark.NewList(l), rest, nil
}

func nextDict(b []byte, n uint64, depth int) (starlark.Value, []byte, error) {
	if uint64(len(b))/2 < n {
		return nil, nil, errShort
	}
	d := starlark.NewDict(int(n))
	for range n {
		k, rest, err := next(b, depth+1)
		if err != nil {
			return nil, nil, err
		}
		var e starlark.Value
		if e, b, err = next(rest, depth+1); err != nil {
			return nil, nil, err
		}
		if err := d.SetKey(k, e); err != nil {
			return nil, nil, err
		}
	}
	return d, b, nil
}

func nextTagged(b []byte, tag uint64, depth int) (starlark.Value, []byte, error) {
	if tag == value.TagTuple || tag == value.TagSet {
		major, n, rest, err := value.ReadHead(b)
		if err != nil {
			return nil, nil, err
		}
		if major != value.MajorArray {
			return nil, nil, fmt.Errorf("encoded value has tag %d on something else than a list", tag)
		}
		l, rest, err := nextElements(rest, n, depth+1)
		if err != nil || tag == value.TagTuple {
			return starlark.Tuple(l), rest, err
		}
		s := starlark.NewSet(len(l))
		for _, e := range l {
			if err := s.Insert(e); err != nil {
				return nil, nil, err
			}
		}
		return s, rest, nil
	}
	in, rest, err := next(b, depth+1)
	if err != nil {
		return nil, nil, err
	}
	switch in := in.(type) {
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
