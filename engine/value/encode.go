package value

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
)

// CBOR major types (RFC 8949, 3.1).
const (
	MajorUint  = 0
	MajorNeg   = 1
	MajorBytes = 2
	MajorText  = 3
	MajorArray = 4
	MajorMap   = 5
	MajorTag   = 6
)

// AppendHead appends the head of a data item: its major type and argument n.
func AppendHead(b []byte, major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < 24:
		return append(b, m|byte(n))
	case n < 1<<8:
		return append(b, m|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, m|27), n)
}

// AppendNil, AppendBool, AppendInt, AppendBig, AppendFloat and AppendString
// append one encoded value.
func AppendNil(b []byte) []byte { return append(b, 0xf6) }

// AppendSecret appends the name of a secret.
func AppendSecret(b []byte, name string) []byte {
	return AppendString(AppendHead(b, MajorTag, TagSecret), name)
}

// AppendBool appends a bool.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xf5)
	}
	return append(b, 0xf4)
}

// AppendInt appends a whole number.
func AppendInt(b []byte, i int64) []byte {
	if i >= 0 {
		return AppendHead(b, MajorUint, uint64(i))
	}
	return AppendHead(b, MajorNeg, uint64(-1-i))
}

// AppendBig appends a whole number of any size; one that fits 64 bits and a
// sign takes the short form.
func AppendBig(b []byte, x *big.Int) []byte {
	major, tag := byte(MajorUint), uint64(TagPosBig)
	if x.Sign() < 0 {
		major, tag = MajorNeg, TagNegBig
		x = new(big.Int).Not(x)
	}
	if x.IsUint64() {
		return AppendHead(b, major, x.Uint64())
	}
	by := x.Bytes()
	b = AppendHead(b, MajorTag, tag)
	return append(AppendHead(b, MajorBytes, uint64(len(by))), by...)
}

// AppendFloat appends a double, always in eight bytes, all NaNs alike.
func AppendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) {
		f = math.NaN()
	}
	return binary.BigEndian.AppendUint64(append(b, 0xfb), math.Float64bits(f))
}

// AppendString appends text.
func AppendString(b []byte, s string) []byte {
	return append(AppendHead(b, MajorText, uint64(len(s))), s...)
}

// AppendBytes appends bytes.
func AppendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(AppendHead(b, MajorBytes, uint64(len(s))), s...)
}

// Encode returns v encoded. It fails on a type that the package comment does
// not list, and with a *LimitError on what exceeds the bounds of a value. A Raw
// has kept them when it was made, and is not counted.
func Encode(v any) (Raw, error) { return Append(nil, v) }

// Append appends v, encoded, to b.
func Append(b []byte, v any) ([]byte, error) {
	var g Budget
	return appendValue(b, v, 0, &g)
}

func appendValue(b []byte, v any, depth int, g *Budget) ([]byte, error) {
	if err := g.Take(depth, sizeOf(v)); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return AppendNil(b), nil
	case Raw:
		if len(v) == 0 {
			return AppendNil(b), nil
		}
		return append(b, v...), nil
	case bool:
		return AppendBool(b, v), nil
	case int:
		return AppendInt(b, int64(v)), nil
	case int32:
		return AppendInt(b, int64(v)), nil
	case int64:
		return AppendInt(b, v), nil
	case uint32:
		return AppendInt(b, int64(v)), nil
	case uint64:
		return AppendHead(b, MajorUint, v), nil
	case *big.Int:
		return AppendBig(b, v), nil
	case float32:
		return AppendFloat(b, float64(v)), nil
	case float64:
		return AppendFloat(b, v), nil
	case string:
		return AppendString(b, v), nil
	case []byte:
		return AppendBytes(b, v), nil
	case []any:
		return appendList(b, v, depth, g)
	case []string:
		b = AppendHead(b, MajorArray, uint64(len(v)))
		for _, s := range v {
			if err := g.Take(depth+1, len(s)); err != nil {
				return nil, err
			}
			b = AppendString(b, s)
		}
		return b, nil
	case Tuple:
		return appendList(AppendHead(b, MajorTag, TagTuple), v, depth, g)
	case Set:
		return appendList(AppendHead(b, MajorTag, TagSet), v, depth, g)
	case Secret:
		return AppendSecret(b, string(v)), nil
	case *Map:
		return appendMap(b, v, depth, g)
	case *Struct:
		return appendMap(AppendHead(b, MajorTag, TagStruct), &v.Map, depth, g)
	}
	return nil, fmt.Errorf("a %T cannot be kept in the record", v)
}

// sizeOf returns how many bytes v has besides its head, and what it holds.
func sizeOf(v any) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case Secret:
		return len(v)
	case []byte:
		return len(v)
	case float64:
		return 8
	case *big.Int:
		return v.BitLen() / 8
	}
	return 0
}

func appendList(b []byte, l []any, depth int, g *Budget) ([]byte, error) {
	b = AppendHead(b, MajorArray, uint64(len(l)))
	for i, e := range l {
		var err error
		if b, err = appendValue(b, e, depth+1, g); err != nil {
			return nil, within(fmt.Sprintf("[%d]", i), err)
		}
	}
	return b, nil
}

func appendMap(b []byte, m *Map, depth int, g *Budget) ([]byte, error) {
	b = AppendHead(b, MajorMap, uint64(m.Len()))
	if m == nil {
		return b, nil
	}
	for _, p := range m.Pairs {
		var err error
		if b, err = appendValue(b, p.Key, depth+1, g); err != nil {
			return nil, err
		}
		if b, err = appendValue(b, p.Value, depth+1, g); err != nil {
			return nil, within("["+Short(p.Key, 40)+"]", err)
		}
	}
	return b, nil
}

// within says where in a value the cause lies; of a bound it is the whole value.
func within(step string, err error) error {
	if errors.As(err, new(*LimitError)) {
		return err
	}
	return fmt.Errorf("%s: %w", step, err)
}
