package tag

import (
	"fmt"
	"math"
)

// Scale is the line between a device's raw numbers and engineering units:
// eng = raw*Factor + Offset. Factor is finite and not 0.
type Scale struct{ Factor, Offset float64 }

// Eng returns raw in engineering units; ok is false where raw is no number.
func (s Scale) Eng(raw Value) (eng Value, ok bool) {
	f, ok := raw.AsFloat()
	if !ok {
		return None(), false
	}
	return Float(s.eng(f)), true
}

// Raw returns eng as the device takes it: brought to t, for whole numbers the
// nearest. It is an error where eng is no number, or lies outside t, or is so
// large that the raw number no longer tells it from its neighbours.
func (s Scale) Raw(eng Value, t Type) (Value, error) {
	e, ok := eng.AsFloat()
	if !ok {
		return None(), fmt.Errorf("%s is not a number, as scaling needs", eng)
	}
	if math.IsNaN(e) || math.IsInf(e, 0) {
		return None(), fmt.Errorf("%s is not a number that can be written", eng)
	}
	f := (e - s.Offset) / s.Factor
	// A device that says its own type may want a whole number: 503, not 502.99999999999994.
	if n := math.Round(f); t.IsInteger() || t == TypeAny && math.Abs(f-n) <= near*math.Max(1, math.Abs(f)) {
		f = n
	}
	raw, err := Coerce(Float(f), t)
	if err != nil {
		return None(), fmt.Errorf("%s scaled to the device's number: %w", eng, err)
	}
	if back, _ := s.Eng(raw); t.IsInteger() && !s.within(back, e) {
		return None(), fmt.Errorf("%s does not come back from the device's number %s: it reads as %s", eng, raw, back)
	}
	return raw, nil
}

// within reports whether back is the same as e but for half a raw step.
func (s Scale) within(back Value, e float64) bool {
	b, _ := back.AsFloat()
	return math.Abs(b-e) <= math.Abs(s.Factor)/2*(1+near)
}

const near = 1e-9 // how far apart two numbers may be, relatively, that were meant to be one

// eng divides where the factor is one part of a whole number, so that 503 in
// tenths reads 50.3 as a person would write it, and not 50.300000000000004.
// The conversions keep the compiler from fusing, so that all CPUs agree.
func (s Scale) eng(raw float64) float64 {
	inverse := 1 / s.Factor
	n := math.Round(inverse)
	if math.Abs(n) < 2 || math.Abs(inverse-n) > near*math.Abs(n) {
		return float64(raw*s.Factor) + s.Offset
	}
	offset := float64(s.Offset * n)
	if k := math.Round(offset); math.Abs(offset-k) <= near*math.Max(1, math.Abs(k)) {
		return float64(raw+k) / n
	}
	return float64(raw/n) + s.Offset
}
