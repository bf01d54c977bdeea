package steps

import (
	"fmt"
	"testing"

	"holdfast/gateway/tag"
)

// plan is a Plan of two tags, of which nobody may write the second.
type plan struct{}

func (plan) Tags() []tag.Info { return []tag.Info{{Path: "line/speed"}, {Path: "line/state"}} }

func (p plan) Lookup(path tag.Path) (tag.Info, bool) {
	for _, i := range p.Tags() {
		if i.Path == path {
			return i, true
		}
	}
	return tag.Info{}, false
}

func (plan) Admits(p tag.Path, v tag.Value) error {
	if p == "line/speed" {
		return nil
	}
	return &tag.Refusal{Path: p, Message: "nobody may write " + v.String()}
}

func TestPlant(t *testing.T) {
	t.Parallel()
	p := Plant{plan{}}
	for _, c := range []struct {
		got  error
		want string
	}{
		{p.Tag("line/speed"), "<nil>"},
		{p.Tag("line/sped"), `no tag "line/sped" is configured (did you mean line/speed?)`},
		{p.Tag("valve"), `no tag "valve" is configured`},
		{p.Write("line/speed", int64(1)), "<nil>"},
		{p.Write("line/speed", []any{int64(1)}), "<nil>"},
		{p.Write("line/speed", nil), "<nil>"},
		{p.Write("line/state", int64(1)), "nobody may write 1"},
		{p.Quality("Good"), "<nil>"},
		{p.Quality("BadNoCommunication"), "<nil>"},
		{p.Quality("GOOD"), `"GOOD" is not the name of a quality (did you mean Good?)`},
		{p.Quality("bad_no_communication"), `"bad_no_communication" is not the name of a quality (did you mean BadNoCommunication?)`},
		{p.Quality("fine"), `"fine" is not the name of a quality, such as Good, Bad, BadNoCommunication, UncertainLastUsableValue`},
	} {
		if got := fmt.Sprint(c.got); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	if p.Tag("/no path") == nil || p.Write("/no path", int64(1)) == nil {
		t.Error("a path that is none was taken")
	}
}
