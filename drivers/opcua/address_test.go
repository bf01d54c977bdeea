package opcua

import (
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	spaces := []string{"http://opcfoundation.org/UA/", "urn:server", "urn:a;b%", "http://example.com/press"}
	for _, c := range []struct{ in, want string }{
		{"i=2258", "i=2258"},
		{"ns=0;i=2258", "i=2258"},
		{"s=Old", "s=Old"},
		{"ns=2;s=Recipe.Name", "ns=2;s=Recipe.Name"},
		{"ns=65535;i=4294967295", "ns=65535;i=4294967295"},
		{"ns=2;s=a;b=c", "ns=2;s=a;b=c"},
		{"ns=2;s= ", "ns=2;s= "},
		{`ns=3;s="DB1"."Wert"`, `ns=3;s="DB1"."Wert"`},
		{"nsu=http://example.com/press;s=Recipe.Name", "ns=3;s=Recipe.Name"},
		{"nsu=urn:a%3Bb%25;i=7", "ns=2;i=7"},
		{"nsu=http://gone.example/;i=7", ""},
		{"ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a", "ns=1;g=09087E75-8E5E-499B-954F-F2A9603DB28A"},
		{"ns=1;b=M/RbKBsRVkePCePcx24oRA==", "ns=1;b=M/RbKBsRVkePCePcx24oRA=="},
	} {
		a, err := parseAddress(c.in)
		if err != nil {
			t.Error(err)
			continue
		}
		n := a.resolve(spaces)
		if got := n.String(); got != c.want {
			t.Errorf("%s is %q, want %q", c.in, got, c.want)
		}
	}
	for in, want := range map[string]string{
		"":                     `is empty`,
		"ns=2":                 `ends after its namespace`,
		"nsu=urn:x":            `ends after its namespace`,
		"nsu=;s=x":             `has no valid namespace URI`,
		"nsu=urn:%zz;s=x":      `has no valid namespace URI`,
		"ns=65536;i=1":         `has the namespace index "65536", which is not a number from 0 to 65535`,
		"ns=-1;i=1":            `has the namespace index "-1"`,
		"ns=+1;i=1":            `has the namespace index "+1"`,
		"ns= 1;i=1":            `has the namespace index " 1"`,
		"ns=2;":                `has no identifier`,
		"ns=2;x":               `has no identifier`,
		"ns=2;i=":              `has the identifier ""`,
		"ns=2;i=4294967296":    `has the identifier "4294967296", which is not a number from 0 to 4294967295`,
		"ns=2;s=":              `has an empty identifier`,
		"ns=2;g=123":           `has the identifier "123", which is not a GUID`,
		"ns=2;b=!":             `has the identifier "!", which is not base64`,
		"ns=2;q=1":             `has an identifier of unknown kind "q="`,
		"svr=1;ns=2;s=x":       `names another server`,
		" ns=2;s=x":            `has no identifier`,
		"holding:100":          `has no identifier`,
		"ns=2;s=\xff":          `is not UTF-8`,
		"s=" + long(4097, 'a'): `has an identifier of 4097 bytes, at most 4096 are allowed`,
	} {
		err := CheckAddress(in)
		if err == nil {
			t.Errorf("%q was taken", in)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "allowed are nsu=URI;s=TEXT") {
			t.Errorf("%q gives: %v; want it to say: %s", in, err, want)
		}
	}
}

func long(n int, r rune) string { return strings.Repeat(string(r), n) }

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"i=2258", "ns=2;s=x", "nsu=urn:x;i=1", "ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a", "ns=1;b=AA=="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := parseAddress(s)
		if err != nil {
			return
		}
		n := a.resolve([]string{"http://opcfoundation.org/UA/", a.uri})
		if n == nil {
			t.Fatalf("%q does not resolve", s)
		}
		// What the library shows of the node is an address of the same node.
		b, err := parseAddress(n.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", s, n, err)
		}
		if m := b.resolve(nil); m.String() != n.String() {
			t.Fatalf("%q became %s, then %s", s, n, m)
		}
	})
}
