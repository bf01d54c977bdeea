package tag

import (
	"fmt"
	"math"
)

// Coerce returns v as a value of type t, without loss: a float becomes a whole
// number only when it is whole, a number must lie within t, a float32 must be
// finite, and a bool is never a number. What does not fit is an error that says
// what t takes. TypeAny takes everything but NaN and the infinities.
func Coerce(v Value, t Type) (Value, error) {
	if f, ok := v.AsFloat(); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return None(), fmt.Errorf("%s is not a number that can be written", v)
	}
	switch {
	case t == TypeAny:
		if v.IsNone() {
			return None(), fmt.Errorf("no value given")
		}
		return v, nil
	case t == TypeBool:
		if v.kind == KindBool {
			return v, nil
		}
	case t.IsInteger():
		return coerceInteger(v, t)
	case t.IsFloat():
		if !v.IsNumber() {
			break
		}
		f, _ := v.AsFloat()
		if t == TypeFloat32 {
			if math.IsInf(float64(float32(f)), 0) {
				return None(), fmt.Errorf("%s is outside the range of float32", v)
			}
			f = float64(float32(f))
		}
		return Float(f), nil
	case t == TypeString && v.kind == KindString, t == TypeBytes && v.kind == KindBytes:
		return v, nil
	}
	return None(), fmt.Errorf("%s is not a %s", v, t)
}

func coerceInteger(v Value, t Type) (Value, error) {
	if !v.IsNumber() {
		return None(), fmt.Errorf("%s is not a %s", v, t)
	}
	min, max, _ := t.Range()
	if u, ok := v.AsUint(); ok {
		if u <= max {
			return Uint(u), nil
		}
	} else if n, ok := v.AsInt(); ok {
		if n >= min {
			return Int(n), nil
		}
	} else if f, _ := v.AsFloat(); f != math.Trunc(f) {
		return None(), fmt.Errorf("%s is not a whole number, as %s needs", v, t)
	}
	return None(), fmt.Errorf("%s is outside the range of %s, %d to %d", v, t, min, max)
}
