package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"holdfast/internal/control/controltest"
)

// TestOddRunHidesNoOther: a run with values that JSON has no form for, or that
// cannot be read, is shown, says so in their place, and hides nothing.
func TestOddRunHidesNoOther(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	start(t, d, "test.idle", "batch=1", "--id", "sound")
	start(t, d, "test.odd", "--id", "odd")
	hf(t, d.Socket, "start", "test.odd", "--id", "odd", "--wait").want(t, 0, "SUCCESS", "it had been started before")
	marks := []string{`{"$map":[[1,"number"],["1","text"]]}`, `{"$text":"`, `{"$unreadable":"encoded value has`}
	var all []map[string]any
	hf(t, d.Socket, "runs", "-o", "json").want(t, 0, "[", "").decode(t, &all)
	if len(all) != 2 {
		t.Errorf("%d runs are listed", len(all))
	}
	for _, verb := range []string{"show", "steps", "logs"} {
		r := hf(t, d.Socket, verb, "odd").want(t, 0, "deep", "")
		for _, mark := range marks {
			if !strings.Contains(r.out, mark) {
				t.Errorf("%s does not show %s:\n%s", verb, mark, r.out)
			}
		}
		var doc any
		hf(t, d.Socket, verb, "odd", "-o", "json").want(t, 0, "$map", "").decode(t, &doc)
		if text := fmt.Sprint(doc); strings.Count(text, "$unreadable") == 0 {
			t.Errorf("%s as JSON is %s", verb, text)
		}
	}
}

// TestNotJSON: what JSON cannot carry is refused before it is sent.
func TestNotJSON(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	hf(t, d.Socket, "start", "test.odd", "x=\xc3").want(t, 2, "", `JSON has no form for "\xc3", which is not UTF-8`)
	start(t, d, "test.odd", "--id", "o1", `x={"$map": 1}`)
	hf(t, d.Socket, "show", "o1").want(t, 0, `inputs      {"x":{"$map":[["$map",1]]}}`, "")
}

// TestManyInputs: each of very many inputs arrives.
func TestManyInputs(t *testing.T) {
	t.Parallel()
	const n = 50_000
	var b strings.Builder
	b.WriteString("{")
	for i := range n {
		fmt.Fprintf(&b, `"k%06d": %d, `, i, i)
	}
	b.WriteString(`"last": true}`)
	d := controltest.Start(t, nil)
	hfIn(t, d.Socket, b.String(), "start", "test.odd", "--id", "many", "--input", "-").want(t, 0, "many\n", "")
	var run struct {
		Inputs map[string]any `json:"inputs"`
	}
	hf(t, d.Socket, "show", "many", "-o", "json").want(t, 0, "{", "").decode(t, &run)
	if len(run.Inputs) != n+1 || run.Inputs["k049999"] != 49999.0 {
		t.Errorf("%d inputs arrived", len(run.Inputs))
	}
}
