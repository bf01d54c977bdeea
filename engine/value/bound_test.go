package value

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// allocated returns how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// shared is a list of n levels whose halves are one: 2 to the power of n values.
func shared(n int) any {
	var v any = "end"
	for range n {
		v = []any{v, v}
	}
	return v
}

// A value of shared parts ends its encoding at the bound, and not behind it.
func TestSharedParts(t *testing.T) { // not parallel: it looks at the whole process
	inItself := []any{nil}
	inItself[0] = inItself
	record := NewMap("text", strings.Repeat("x", 1<<20))
	many := make([]any, 20000)
	for i := range many {
		many[i] = record
	}
	for name, v := range map[string]any{"list": shared(60), "tuple": Tuple{shared(60)}, "map": NewMap("a", shared(60)), "key": &Map{Pairs: []Pair{{shared(60), 1}}}, "records": many, "in itself": inItself} {
		for what, f := range map[string]func() error{
			"Encode":     func() error { _, err := Encode(v); return err },
			"AppendJSON": func() error { _, err := AppendJSON(nil, v); return err },
		} {
			var err error
			made := allocated(func() { err = f() })
			if !errors.As(err, new(*LimitError)) || len(err.Error()) > 200 {
				t.Errorf("%s of %s: %.300v", what, name, err)
			}
			if made > 1<<30 { // JSON is up to 128 MiB, and is copied while it grows
				t.Errorf("%s of %s allocates %d MiB", what, name, made>>20)
			}
		}
		var text string
		if made := allocated(func() { text = Short(v, 60) }); made > 1<<20 || len(text) > 70 || !strings.HasSuffix(text, "…") {
			t.Errorf("%s is, in short, %s, for %d bytes", name, text, made)
		}
	}
}

// What is just within a bound is kept, what is just above is not.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		fits, no any
	}{
		{"items", make([]any, MaxItems-1), make([]any, MaxItems)},
		{"strings", make([]string, MaxItems-1), make([]string, MaxItems)},
		{"text", strings.Repeat("x", MaxBytes-1), strings.Repeat("x", MaxBytes)},
		{"bytes", make([]byte, MaxBytes-1), make([]byte, MaxBytes)},
		{"texts", []any{strings.Repeat("x", MaxBytes/2), strings.Repeat("x", MaxBytes/2-3)}, []any{strings.Repeat("x", MaxBytes/2), strings.Repeat("x", MaxBytes/2)}},
	} {
		if _, err := Encode(c.fits); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := Encode(c.no); !errors.As(err, new(*LimitError)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	kept, err := Encode(NewMap("message", Raw(AppendString(nil, strings.Repeat("x", MaxBytes)))))
	if err != nil || len(kept) < MaxBytes {
		t.Errorf("what has been encoded is counted again: %v", err)
	}
}

// Whatever is encoded can be read, at each depth that is allowed, also inside
// of what the record puts around it. No kind of value counts twice.
func TestDepth(t *testing.T) {
	t.Parallel()
	for name, around := range map[string]func(any) any{
		"list": func(v any) any { return []any{v} }, "tuple": func(v any) any { return Tuple{v} }, "set": func(v any) any { return Set{v} },
		"map": func(v any) any { return NewMap("k", v) }, "key": func(v any) any { return &Map{Pairs: []Pair{{v, nil}}} }, "struct": func(v any) any { return &Struct{*NewMap("k", v)} },
	} {
		var v any = int64(1)
		for depth := 0; depth <= MaxDepth+5; depth++ {
			raw, err := Encode(v)
			if (err == nil) != (depth <= MaxDepth) {
				t.Errorf("%s of depth %d: %v", name, depth, err)
			}
			if err == nil {
				wrapped, err := Encode([]any{NewMap("a", NewMap("b", []any{raw}))})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range []Raw{raw, wrapped} {
					if _, err := Decode(r); err != nil {
						t.Errorf("%s of depth %d is not decoded: %v", name, depth, err)
					}
					if rest, err := Skip(r); err != nil || len(rest) > 0 {
						t.Errorf("%s of depth %d is not skipped: %v", name, depth, err)
					}
					if name == "key" {
						continue // a key within a key is quoted twice as often, and beyond measure soon
					}
					if _, err := r.MarshalJSON(); err != nil {
						t.Errorf("%s of depth %d has no JSON: %v", name, depth, err)
					}
				}
				if err := Check(raw); err != nil {
					t.Errorf("%s of depth %d: %v", name, depth, err)
				}
			}
			v = around(v)
		}
	}
}

// Check takes what Encode makes, and nothing else.
func TestCheck(t *testing.T) {
	t.Parallel()
	deep := func(n int) Raw { return append(bytes.Repeat([]byte{0x81}, n), 0xf6) }
	many := append(AppendHead(nil, MajorArray, MaxItems), bytes.Repeat([]byte{0xf6}, MaxItems)...)
	for name, c := range map[string]struct {
		raw Raw
		ok  bool
	}{
		"nothing": {nil, true}, "deep": {deep(MaxDepth), true}, "too deep": {deep(MaxDepth + 1), false}, "too many": {many, false}, "too long": {AppendString(nil, strings.Repeat("x", MaxBytes)), false},
		"cut": {Raw{0x82, 0x01}, false}, "two": {Raw{0x01, 0x01}, false}, "tag on a number": {Raw{0xd9, 0x98, 0x58, 0x01}, false}, "tags": {bytes.Repeat([]byte{0xc2}, MaxBytes), false},
	} {
		if err := Check(c.raw); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, b := range [][]byte{bytes.Repeat([]byte{0xc2}, MaxBytes), bytes.Repeat([]byte{0x81}, MaxBytes)} { // no end of recursion
		if _, err := Decode(b); err == nil {
			t.Errorf("%x… was decoded", b[:4])
		}
		if _, err := Skip(b); err == nil {
			t.Errorf("%x… was skipped", b[:4])
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]any{
		`{"a":[1,2.5]}`: NewMap("a", []any{int64(1), 2.5}), `"äöü`: "äöüäöüäöüäöüäöüäöüäöü", `[1,2,3,4,5,6,7,8,9,…`: []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, `?`: struct{}{},
	} {
		if got := Short(v, 19); !strings.HasPrefix(got, want) || len(got) > 19+len("…") {
			t.Errorf("%v is %s, not %s", v, got, want)
		}
	}
}
