package script

import (
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// TestSecret sees a secret come to a step by its name, through helpers and
// steps of one's own, and the record show the name.
func TestSecret(t *testing.T) {
	t.Parallel()
	p := newPlant()
	f := p.front(t, Options{})
	b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": `
from holdfast import secret as hidden
TOKEN = secret("mes-token")

@step
def own(x):
    tags.write("line/speed", x)
    return x

@workflow
def w():
    tags.write("line/valve", hidden("mes-token"))
    back = own(TOKEN)
    getWorkflows().progress(TOKEN)
    return [back == TOKEN, back == hidden(name = "other"), back == "mes-token", type(TOKEN), str(TOKEN), {TOKEN: 1}[back], bool(TOKEN)]
`})...)
	id := b.start("w")
	info := b.result(id)
	if got, want := shown(t, info.Result), `[true,false,false,"secret","secret(\"mes-token\")",1,true]`; got != want {
		t.Errorf("got %s, %+v", got, info.Error)
	}
	if p.tags["line/valve"] != value.Secret("mes-token") || p.tags["line/speed"] != value.Secret("mes-token") {
		t.Errorf("the steps were given %v", p.tags)
	}
	steps, err := b.e.Steps(t.Context(), id)
	if err != nil || len(steps) != 2 || shown(t, steps[0].Args) != `{"path":"line/valve","value":"secret(mes-token)"}` {
		t.Errorf("steps are %+v, %v", steps, err)
	}
	for src, want := range map[string]string{
		`secret("")`: "secret wants the name of a credential", `secret("a b")`: "secret wants the name", `secret("` + strings.Repeat("x", 129) + `")`: "secret wants the name",
		`secret(1)`: "got int, want string", `"Bearer " + secret("a")`: "unknown binary op: string + secret",
	} {
		if info, _ := run(t, Options{}, "@workflow\ndef w():\n    "+src+"\n"); info.Status != engine.Error || !strings.Contains(info.Error.Message, want) {
			t.Errorf("%s: %+v", src, info.Error)
		}
	}
}
