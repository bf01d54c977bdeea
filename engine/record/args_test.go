package record

import (
	"testing"

	"holdfast/engine/value"
)

func enc(t testing.TB, v any) value.Raw {
	t.Helper()
	r, err := value.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What a program gives stays, what it need not have given is left out.
func TestArgumentsWithoutDefaults(t *testing.T) {
	t.Parallel()
	defaults := []Default{{"timeout_ms", enc(t, int64(1000))}, {"note", enc(t, nil)}, {"on", enc(t, false)}}
	many, all := &value.Map{}, []Default{}
	for i := range 30 {
		name := string(rune('A' + i))
		many.Set(name, int64(i))
		if i > 0 {
			all = append(all, Default{name, enc(t, int64(i))})
		}
	}
	for _, c := range []struct {
		args     value.Raw
		defaults []Default
		want     any
	}{
		{nil, defaults, nil},
		{enc(t, value.NewMap()), defaults, nil},
		{enc(t, value.NewMap("path", "a", "timeout_ms", 1000, "note", nil, "on", false)), defaults, value.NewMap("path", "a")},
		{enc(t, value.NewMap("timeout_ms", 1000)), defaults, nil},
		{enc(t, value.NewMap("timeout_ms", 1000.0, "on", true)), defaults, value.NewMap("timeout_ms", 1000.0, "on", true)},
		{enc(t, value.NewMap("timeout_ms", 2000, "on", false)), defaults, value.NewMap("timeout_ms", 2000)},
		{enc(t, value.NewMap("path", "a")), nil, value.NewMap("path", "a")},
		{enc(t, many), all, value.NewMap("A", 0)},
	} {
		got, err := WithoutDefaults(new([]byte), c.args, c.defaults)
		if err != nil {
			t.Fatal(err)
		}
		want := enc(t, c.want)
		if len(got) == 0 {
			got = enc(t, nil)
		}
		if string(got) != string(want) {
			t.Errorf("%s: got %s, want %s", ShowCall("f", c.args), ShowCall("f", got), ShowCall("f", want))
		}
	}
	for _, bad := range []value.Raw{enc(t, "x"), {0xa1}, {0xa1, 0x61, 'a'}, {0xff}} {
		if got, err := WithoutDefaults(new([]byte), bad, defaults); err == nil {
			t.Errorf("%x was taken as %x", bad, got)
		}
	}
}
