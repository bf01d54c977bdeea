package drivertest

import (
	"math"
	"strings"

	"holdfast/gateway/tag"
)

// values returns what p is tried with: the limits of its type, and between.
func (p Point) values() []tag.Value {
	vs := append([]tag.Value(nil), p.Values...)
	switch t := p.Type; {
	case t == tag.TypeBool:
		vs = append(vs, tag.Bool(true), tag.Bool(false))
	case t.IsInteger():
		lo, hi, _ := t.Range()
		vs = append(vs, tag.Int(lo), tag.Uint(hi), tag.Int(42), tag.Int(7), tag.Int(0))
		if lo < 0 {
			vs = append(vs, tag.Int(-1))
		}
	case t == tag.TypeFloat32:
		for _, f := range []float32{0.1, -273.15, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0} {
			vs = append(vs, tag.Float(float64(f)))
		}
	case t == tag.TypeFloat64:
		for _, f := range []float64{0.1, -273.15, math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, 0} {
			vs = append(vs, tag.Float(f))
		}
	case t == tag.TypeString:
		vs = append(vs, tag.String("Rezept 7"[:min(8, p.Length)]), tag.String(strings.Repeat("x", p.Length)),
			tag.String(strings.Repeat("é", p.Length/2)), tag.String(""))
	case t == tag.TypeBytes:
		ramp := make([]byte, p.Length)
		for i := range ramp {
			ramp[i] = byte(255 - i)
		}
		vs = append(vs, tag.Bytes(ramp), tag.Bytes(make([]byte, p.Length)))
	}
	return vs
}

// value returns one of two values of p that differ.
func (p Point) value(i int) tag.Value { return p.values()[i%2] }

// misfits returns values that no point of p's type takes.
func (p Point) misfits() []tag.Value {
	switch t := p.Type; {
	case t == tag.TypeAny:
		return []tag.Value{tag.None()}
	case t == tag.TypeBool:
		return []tag.Value{tag.String("x"), tag.None()}
	case t.IsNumber():
		return []tag.Value{tag.String("x"), tag.Bool(true), tag.None()}
	}
	return []tag.Value{tag.Bool(true), tag.Int(1), tag.None()}
}
