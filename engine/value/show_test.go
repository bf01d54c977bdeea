package value

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
)

// What JSON has no form for is marked where it is shown, and refused where it is
// sent to somebody else; and what is shown can be read.
func TestShown(t *testing.T) {
	t.Parallel()
	oddKeys := &Map{Pairs: []Pair{{int64(1), "a"}, {"1", "b"}}}
	for _, c := range []struct {
		v       any
		shown   string
		refused bool
	}{
		{oddKeys, `{"$map":[[1,"a"],["1","b"]]}`, true},
		{&Map{Pairs: []Pair{{int64(1), "a"}, {int64(2), "b"}}}, `{"1":"a","2":"b"}`, false},
		{[]any{NewMap("in", oddKeys)}, `[{"in":{"$map":[[1,"a"],["1","b"]]}}]`, true},
		{&Map{Pairs: []Pair{{oddKeys, 1}}}, `{"{\"$map\":[[1,\"a\"],[\"1\",\"b\"]]}":1}`, true},
		{NewMap("$map", int64(1)), `{"$map":[["$map",1]]}`, false},
		{NewMap("$price", int64(1)), `{"$price":1}`, false},
		{"a\xff", `{"$text":"Yf8="}`, true},
		{NewMap("\xff", 1, "\xfe", 2), `{"$map":[[{"$text":"/w=="},1],[{"$text":"/g=="},2]]}`, true},
		{math.Inf(1), `"+Inf"`, false},
	} {
		raw, err := Encode(c.v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(raw)
		if err != nil || string(got) != c.shown {
			t.Errorf("%v is shown as %s, %v; want %s", c.v, got, err, c.shown)
		}
		var back Raw
		if err := json.Unmarshal(got, &back); err != nil {
			t.Errorf("%s cannot be read: %v", got, err)
		}
		if again, err := json.Marshal(back); err != nil || string(again) != c.shown {
			t.Errorf("%s is shown again as %s, %v", got, again, err)
		}
		if _, err := AppendJSON(nil, c.v); (err != nil) != c.refused {
			t.Errorf("%v is sent: %v", c.v, err)
		}
	}
}

// A rotten value says so in its place, and hides nothing of what stands beside it.
func TestRottenShown(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(map[string]Raw{"bad": {0x82, 0x01}, "good": {0x01}})
	if want := `{"bad":{"$unreadable":"encoded value is cut short","$cbor":"ggE="},"good":1}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// Whatever can be kept can be shown, and what is shown can be read and shown
// again: at each depth, with what is put around a value, and at each size.
func TestShownAgain(t *testing.T) {
	t.Parallel()
	odd := func(v any) any { return &Map{Pairs: []Pair{{int64(1), v}, {"1", nil}}} }
	for name, around := range map[string]func(any) any{
		"list": func(v any) any { return []any{v} }, "tuple": func(v any) any { return Tuple{v} }, "map": func(v any) any { return NewMap("k", v) },
		"odd map": odd, "struct": func(v any) any { return &Struct{*NewMap("k", v)} },
	} {
		var v any = int64(1)
		for range MaxDepth {
			v = around(v)
		}
		raw, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		for range wrapping {
			if raw, err = Encode([]any{raw}); err != nil {
				t.Fatal(err)
			}
		}
		shownAgain(t, name, raw)
	}
	for name, v := range map[string]any{"bytes": make([]byte, MaxBytes-1), "text": strings.Repeat("\"", MaxBytes-1), "nothings": make([]any, MaxItems-2)} {
		raw, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		two, err := Encode([]any{raw, raw})
		if err != nil {
			t.Fatal(err)
		}
		shownAgain(t, name, two)
	}
}

func shownAgain(t *testing.T, name string, raw Raw) {
	t.Helper()
	first, err := raw.MarshalJSON()
	if err != nil || strings.Contains(string(first), markUnreadable) {
		t.Fatalf("%s is shown as %.200s, %v", name, first, err)
	}
	var back Raw
	if err := back.UnmarshalJSON(first); err != nil {
		t.Fatalf("%s cannot be read: %v", name, err)
	}
	second, err := back.MarshalJSON()
	if err != nil || strings.Contains(string(second), markUnreadable) {
		t.Errorf("%s is shown again as %.200s, %v", name, second, err)
	}
}

// Of many keys, too, each stands once.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 7, 8, 9, 10, 1000} {
		doc := wide(n)
		v, err := FromJSON(doc)
		if m, ok := v.(*Map); err != nil || !ok || m.Len() != n {
			t.Errorf("%d keys: %v", n, err)
		}
		for _, i := range []int{0, n / 2, n - 1} {
			twice := fmt.Appendf(doc[:len(doc)-1:len(doc)-1], `,"key%07d":1}`, i)
			if _, err := FromJSON(twice); err == nil || !strings.Contains(err.Error(), "stands twice") {
				t.Errorf("key %d of %d stands twice: %v", i, n, err)
			}
		}
	}
}

// wide is an object of n keys.
func wide(n int) []byte {
	b := []byte{'{'}
	for i := range n {
		b = fmt.Appendf(b, `"key%07d":%d,`, i, i)
	}
	b[len(b)-1] = '}'
	return b
}

// BenchmarkFromJSON reads objects of more and more keys: the time a key takes is
// to stay the same.
func BenchmarkFromJSON(b *testing.B) {
	for _, n := range []int{10, 1000, 50_000} {
		doc := wide(n)
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := FromJSON(doc); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/key")
		})
	}
}
