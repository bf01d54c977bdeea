package steps

import (
	"fmt"
	"math"
	"slices"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// tagValue returns an argument as a value that a tag can hold.
func tagValue(a engine.Args, name string) (tag.Value, error) {
	v, err := fromPlain(a.Value(name))
	if err != nil {
		return tag.None(), engine.Errorf("BadValue", "%s: %v", name, err)
	}
	return v, nil
}

func fromPlain(v any) (tag.Value, error) {
	var elems []any
	switch v := v.(type) {
	case *value.Map, *value.Struct:
		return tag.None(), fmt.Errorf("a tag cannot hold a dict")
	case value.Set:
		return tag.None(), fmt.Errorf("a tag cannot hold a set")
	case value.Tuple:
		elems = v
	case []any:
		elems = v
	default:
		return tag.FromAny(v)
	}
	l := make([]tag.Value, len(elems))
	for i, e := range elems {
		var err error
		if l[i], err = fromPlain(e); err != nil {
			return tag.None(), fmt.Errorf("[%d]: %w", i, err)
		}
	}
	return tag.List(l), nil
}

// shown returns a sample's value as scripts see it: nil where the quality is bad.
func shown(s tag.Sample) any {
	if s.Status.IsBad() {
		return nil
	}
	return s.Value.Any()
}

// holds reports whether a sample of a tag shows the value want: as it is, or as
// the tag gives it back once its type and scale have rounded it. A sample of
// bad quality shows nothing.
func holds(info tag.Info, s tag.Sample, want tag.Value) bool {
	return !s.Status.IsBad() && (exactly(info, s.Value, want) || info.Type == tag.TypeAny && singly(info, s.Value, want))
}

// exactly is holds but for what is not known of a device that says its own type.
func exactly(info tag.Info, got, want tag.Value) bool {
	if got.Equal(want) {
		return true
	}
	back, err := info.Shown(want) // an error: the tag cannot hold it, so it never does
	return err == nil && got.Equal(back)
}

// singly reports whether got is want in single precision. A device that says
// its own type may be a float32, and then gives 0.1 back as 0.10000000149011612.
// It may as well be a double that never held want, so that this alone proves
// no change. A whole number is never rounded: a driver refuses to.
func singly(info tag.Info, got, want tag.Value) bool {
	if g, ok := got.AsList(); ok {
		w, ok := want.AsList()
		return ok && slices.EqualFunc(g, w, func(g, w tag.Value) bool { return g.Equal(w) || singly(info, g, w) })
	}
	raw, err := info.Raw(want)
	if err != nil || got.Kind() != tag.KindFloat {
		return false
	}
	f, number := raw.AsFloat()
	if !number || f == math.Trunc(f) {
		return false
	}
	single := tag.Float(float64(float32(f)))
	if info.Scale != nil {
		single, _ = info.Scale.Eng(single)
	}
	return got.Equal(single)
}
