package tag

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
)

// Kind tells what a Value holds.
type Kind uint8

// The kinds of a Value.
const (
	KindNone Kind = iota
	KindBool
	KindInt   // a whole number within int64
	KindUint  // a whole number above the greatest int64
	KindFloat // IEEE 754 double; a float32 is widened
	KindString
	KindBytes
	KindList // an array of values
)

// Value is what a tag holds at one moment. The zero Value holds nothing
// (None). A Value is immutable: Bytes and List hand out what must not be changed.
type Value struct {
	kind Kind
	num  uint64
	text string // KindString, and KindBytes as a string of bytes
	list []Value
}

// None, Bool, Int, Uint, Float, String, Bytes and List make a Value.
func None() Value { return Value{} }

// Bool makes a Value of a bool.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Int makes a Value of a whole number.
func Int(n int64) Value { return Value{kind: KindInt, num: uint64(n)} }

// Uint makes a Value of a whole number; one within int64 is of KindInt.
func Uint(n uint64) Value {
	if n <= math.MaxInt64 {
		return Int(int64(n))
	}
	return Value{kind: KindUint, num: n}
}

// Float makes a Value of a floating-point number.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// String makes a Value of text.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Bytes makes a Value of bytes, which it copies.
func Bytes(b []byte) Value { return Value{kind: KindBytes, text: string(b)} }

// List makes a Value of an array, which the caller must not change afterwards.
func List(vs []Value) Value { return Value{kind: KindList, list: vs} }

// Kind tells what v holds.
func (v Value) Kind() Kind { return v.kind }

// IsNone reports whether v holds nothing.
func (v Value) IsNone() bool { return v.kind == KindNone }

// AsBool returns the bool that v holds.
func (v Value) AsBool() (b, ok bool) { return v.num == 1, v.kind == KindBool }

// AsInt returns the whole number that v holds, if it is within int64.
// A float that is whole counts.
func (v Value) AsInt() (int64, bool) {
	switch v.kind {
	case KindInt:
		return int64(v.num), true
	case KindFloat:
		f := math.Float64frombits(v.num)
		if f == math.Trunc(f) && f >= -1<<63 && f < 1<<63 {
			return int64(f), true
		}
	}
	return 0, false
}

// AsUint returns the whole number that v holds, if it is not negative.
func (v Value) AsUint() (uint64, bool) {
	switch v.kind {
	case KindInt:
		return v.num, int64(v.num) >= 0
	case KindUint:
		return v.num, true
	case KindFloat:
		f := math.Float64frombits(v.num)
		if f == math.Trunc(f) && f >= 0 && f < 1<<64 {
			return uint64(f), true
		}
	}
	return 0, false
}

// AsFloat returns the number that v holds, rounded to a double.
func (v Value) AsFloat() (float64, bool) {
	switch v.kind {
	case KindInt:
		return float64(int64(v.num)), true
	case KindUint:
		return float64(v.num), true
	case KindFloat:
		return math.Float64frombits(v.num), true
	}
	return 0, false
}

// AsString returns the text that v holds.
func (v Value) AsString() (string, bool) { return v.text, v.kind == KindString }

// AsBytes returns the bytes that v holds.
func (v Value) AsBytes() ([]byte, bool) {
	if v.kind != KindBytes {
		return nil, false
	}
	return []byte(v.text), true
}

// AsList returns the array that v holds; it must not be changed.
func (v Value) AsList() ([]Value, bool) { return v.list, v.kind == KindList }

// IsNumber reports whether v holds a number.
func (v Value) IsNumber() bool { return v.kind >= KindInt && v.kind <= KindFloat }

// Equal compares as the authoring contract says: numbers by value (1 equals
// 1.0), never a bool with a number, NaN with nothing, None with None only.
func (v Value) Equal(w Value) bool {
	if v.IsNumber() && w.IsNumber() {
		if v.kind == KindFloat || w.kind == KindFloat {
			return v.big() != nil && w.big() != nil && v.big().Cmp(w.big()) == 0
		}
		return v.kind == w.kind && v.num == w.num
	}
	if v.kind != w.kind {
		return false
	}
	switch v.kind {
	case KindNone:
		return true
	case KindBool:
		return v.num == w.num
	case KindList:
		return slices.EqualFunc(v.list, w.list, Value.Equal)
	}
	return v.text == w.text
}

// big returns v exactly, so that 2^53+1 differs from the double next to it;
// nil for NaN and the infinities, of which only the infinities equal themselves.
func (v Value) big() *big.Float {
	switch v.kind {
	case KindInt:
		return new(big.Float).SetInt64(int64(v.num))
	case KindUint:
		return new(big.Float).SetUint64(v.num)
	}
	f := math.Float64frombits(v.num)
	if math.IsNaN(f) {
		return nil
	}
	return big.NewFloat(f)
}

// Any returns v as a plain Go value: nil, bool, int64, uint64, float64,
// string, []byte or []any.
func (v Value) Any() any {
	switch v.kind {
	case KindBool:
		return v.num == 1
	case KindInt:
		return int64(v.num)
	case KindUint:
		return v.num
	case KindFloat:
		return math.Float64frombits(v.num)
	case KindString:
		return v.text
	case KindBytes:
		return []byte(v.text)
	case KindList:
		l := make([]any, len(v.list))
		for i, e := range v.list {
			l[i] = e.Any()
		}
		return l
	}
	return nil
}

// FromAny makes a Value of a plain Go value of the kinds that Any returns,
// of any Go number, and of a *big.Int within uint64.
func FromAny(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return None(), nil
	case bool:
		return Bool(x), nil
	case int:
		return Int(int64(x)), nil
	case int8:
		return Int(int64(x)), nil
	case int16:
		return Int(int64(x)), nil
	case int32:
		return Int(int64(x)), nil
	case int64:
		return Int(x), nil
	case uint:
		return Uint(uint64(x)), nil
	case uint8:
		return Uint(uint64(x)), nil
	case uint16:
		return Uint(uint64(x)), nil
	case uint32:
		return Uint(uint64(x)), nil
	case uint64:
		return Uint(x), nil
	case float32:
		return Float(float64(x)), nil
	case float64:
		return Float(x), nil
	case *big.Int:
		if x.IsInt64() {
			return Int(x.Int64()), nil
		}
		if x.IsUint64() {
			return Uint(x.Uint64()), nil
		}
		return None(), fmt.Errorf("%v is outside the range of a 64-bit number", x)
	case json.Number:
		return fromNumber(x)
	case string:
		return String(x), nil
	case []byte:
		return Bytes(x), nil
	case []any:
		l := make([]Value, len(x))
		for i, e := range x {
			v, err := FromAny(e)
			if err != nil {
				return None(), fmt.Errorf("[%d]: %w", i, err)
			}
			l[i] = v
		}
		return List(l), nil
	}
	return None(), fmt.Errorf("a tag cannot hold a %T", x)
}

func fromNumber(n json.Number) (Value, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return Int(i), nil
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return Uint(u), nil
	}
	f, err := n.Float64()
	if err != nil {
		return None(), fmt.Errorf("%s is not a number that a tag can hold", n)
	}
	return Float(f), nil
}

// String shows v as JSON would, for messages and tables.
func (v Value) String() string {
	b, err := v.MarshalJSON()
	if err != nil {
		return fmt.Sprint(v.Any())
	}
	return string(b)
}

// MarshalJSON writes v as JSON: bytes in base64; NaN and the infinities, which
// JSON has not, as the strings "NaN", "+Inf", "-Inf".
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.kind {
	case KindFloat:
		f := math.Float64frombits(v.num)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return strconv.AppendQuote(nil, strconv.FormatFloat(f, 'g', -1, 64)), nil
		}
		return json.Marshal(f)
	case KindBytes:
		return strconv.AppendQuote(nil, base64.StdEncoding.EncodeToString([]byte(v.text))), nil
	case KindString:
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		err := enc.Encode(v.text)
		return bytes.TrimRight(b.Bytes(), "\n"), err
	case KindList:
		return json.Marshal(v.list)
	}
	return json.Marshal(v.Any())
}

// UnmarshalJSON reads a value that a user typed: numbers keep their kind
// (whole or floating-point). Objects are refused.
func (v *Value) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var x any
	if err := dec.Decode(&x); err != nil {
		return err
	}
	w, err := FromAny(x)
	*v = w
	return err
}
