package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"holdfast/gateway/tag"
)

// checkWrite checks the guards of one tag by themselves.
func (d *decoder) checkWrite(t *Tag) {
	p := tagPath(t).key("write")
	low, high := p.key("min"), p.key("max")
	if t.Type != tag.TypeAny && !t.Type.IsNumber() {
		for _, name := range []string{"min", "max", "max_step"} {
			if d.right(p.key(name)) {
				d.complainKey(p.key(name), "not allowed with %s, only with numbers", t.Type)
			}
		}
		return
	}
	for _, bound := range []struct {
		at    path
		value *float64
	}{{low, t.Write.Min}, {high, t.Write.Max}} {
		if allowed, ok := within(bound.value, t); !ok && !d.bad[tagPath(t).key("scale")] {
			d.complain(bound.at, "%s, allowed %s", showFloat(*bound.value), allowed)
		}
	}
	if t.Write.Min != nil && t.Write.Max != nil && *t.Write.Min >= *t.Write.Max && !d.bad[low] && !d.bad[high] {
		d.complain(low, "%s, allowed less than max, %s", showFloat(*t.Write.Min), showFloat(*t.Write.Max))
	}
}

// within reports whether a bound in the tag's units can be a value of its type,
// and else what can.
func within(bound *float64, t *Tag) (allowed string, ok bool) {
	low, high := -math.MaxFloat32, math.MaxFloat32
	shownLow, shownHigh := showFloat(low), showFloat(high)
	if from, to, whole := t.Type.Range(); whole {
		low, high = float64(from), float64(to)
		shownLow, shownHigh = strconv.FormatInt(from, 10), strconv.FormatUint(to, 10)
	} else if t.Type != tag.TypeFloat32 {
		return "", true
	}
	if bound == nil {
		return "", true
	}
	what := t.Type.String()
	slack := 0.0
	if s := t.Scale; s != nil {
		a, b := low*s.Factor+s.Offset, high*s.Factor+s.Offset
		low, high = min(a, b), max(a, b)
		shownLow, shownHigh = strconv.FormatFloat(low, 'g', 12, 64), strconv.FormatFloat(high, 'g', 12, 64)
		what += ", scaled"
		slack = math.Abs(s.Factor) / 2 // rounds to a value within
	}
	return fmt.Sprintf("%s to %s (%s)", shownLow, shownHigh, what), *bound >= low-slack && *bound <= high+slack
}

func showFloat(f float64) string {
	if math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// scale resolves the two forms of a scale, each of which decoded by itself.
func (d *decoder) scale(p path, raw, eng [2]float64, factor, offset float64) *Scale {
	has := func(name string) bool { return d.given(p.key(name)) }
	points, line := has("raw") || has("eng"), has("factor") || has("offset")
	switch {
	case points == line:
		d.complainKey(p, "%s, allowed {raw, eng} or {factor, offset}", forms(points))
		return nil
	case points && !has("raw"):
		d.complainKey(p, "missing key %q", "raw")
		return nil
	case points && !has("eng"):
		d.complainKey(p, "missing key %q", "eng")
		return nil
	case points:
		factor = (eng[1] - eng[0]) / (raw[1] - raw[0])
		offset = eng[0] - raw[0]*factor
	case factor == 0:
		d.complain(p.key("factor"), "0, allowed any other number")
		return nil
	}
	if factor == 0 || math.IsInf(factor, 0) || math.IsInf(offset, 0) || math.IsNaN(offset) {
		d.complainKey(p, "the factor is %v and the offset %v, allowed finite numbers and a factor other than 0", factor, offset)
		return nil
	}
	return &Scale{Factor: factor, Offset: offset}
}

// forms says what is wrong with a choice of two.
func forms(both bool) string {
	if both {
		return "two forms at once"
	}
	return "nothing in it"
}

// checkInterlocks resolves the values of interlocks by the types of their tags.
func (d *decoder) checkInterlocks(t *Tag, k *known) {
	if t.Write == nil {
		return
	}
	for i := range t.Write.Interlocks {
		lock := &t.Write.Interlocks[i]
		p := tagPath(t).key("write").key("interlocks").item(i)
		if !d.right(p.key("tag")) {
			continue
		}
		other := k.tags[lock.Tag]
		switch {
		case lock.Tag == t.Path:
			d.complain(p.key("tag"), "%s, allowed another tag than the one written", quote(string(lock.Tag)))
		case other == nil && !d.given(path("tags").key(string(lock.Tag))):
			d.noSuch(p.key("tag"), "tag", string(lock.Tag), k.tagNames)
		case other != nil && d.right(p.key("equals")) && !d.bad[tagPath(other).key("type")]:
			v, allowed := equalsValue(lock.equals, other)
			if allowed != "" {
				d.complain(p.key("equals"), "%s, allowed %s", showText(lock.equals), allowed)
			}
			lock.Equals = v
		}
	}
}

// equalsValue reads a text as a value that the tag can have, and else says what
// is allowed.
func equalsValue(s text, t *Tag) (v tag.Value, allowed string) {
	num, isNumber := value(s)
	switch {
	case t.Type == tag.TypeBytes:
		return tag.None(), "a tag of another type than bytes"
	case t.Type == tag.TypeString:
		return tag.String(s.value), ""
	case t.Type == tag.TypeAny && isNumber:
		return num, ""
	case t.Type == tag.TypeAny || t.Type == tag.TypeBool:
		if s.plain && (s.value == "true" || s.value == "false") {
			return tag.Bool(s.value == "true"), ""
		}
		if t.Type == tag.TypeAny {
			return tag.String(s.value), ""
		}
		return tag.None(), "true or false (bool)"
	case !isNumber:
		return tag.None(), "a number (" + t.Type.String() + ")"
	case t.Scale != nil:
		f, _ := num.AsFloat()
		allowed, ok := within(&f, t)
		if ok {
			allowed = ""
		}
		return num, allowed
	}
	v, err := tag.Coerce(num, t.Type)
	if err == nil {
		return v, ""
	}
	if from, to, whole := t.Type.Range(); whole {
		return v, fmt.Sprintf("a whole number from %d to %d (%s)", from, to, t.Type)
	}
	return v, "a number within " + t.Type.String()
}

// value reads a number exactly: whole ones beyond 2^53 too.
func value(s text) (tag.Value, bool) {
	f, ok := number(s)
	if !ok {
		return tag.None(), false
	}
	if !strings.ContainsAny(s.value, ".eE") {
		if n, err := strconv.ParseInt(s.value, 10, 64); err == nil {
			return tag.Int(n), true
		}
		if n, err := strconv.ParseUint(s.value, 10, 64); err == nil {
			return tag.Uint(n), true
		}
	}
	return tag.Float(f), true
}
