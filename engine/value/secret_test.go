package value

import (
	"bytes"
	"testing"
)

// A secret is kept, and shown, by its name, and is no text.
func TestSecret(t *testing.T) {
	t.Parallel()
	raw, err := Encode(NewMap("a", Secret("mes-token"), "b", []any{Secret("x")}))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := v.(*Map).Get("a"); got != Secret("mes-token") {
		t.Errorf("it came back as %#v", got)
	}
	js, err := raw.MarshalJSON()
	if want := `{"a":"secret(mes-token)","b":["secret(x)"]}`; err != nil || string(js) != want {
		t.Errorf("got %s, %v", js, err)
	}
	text, err := Encode("mes-token")
	if err != nil {
		t.Fatal(err)
	}
	if one, err := Encode(Secret("mes-token")); err != nil || bytes.Equal(one, text) || Check(one) != nil {
		t.Errorf("%x, %v", one, err)
	}
	for _, bad := range []Raw{AppendInt(AppendHead(nil, MajorTag, TagSecret), 1), AppendHead(nil, MajorTag, TagSecret)} {
		if v, err := Decode(bad); err == nil {
			t.Errorf("%x is %v", bad, v)
		}
	}
}
