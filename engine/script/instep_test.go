package script

import (
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

const saysInStep = `
rt = getWorkflows()

@step(options = {"retries_allowed": True, "max_attempts": 2, "interval_seconds": 0})
def fill(n):
    rt.progress("filling", extra = n)
    rt.setEvent("level", n)
    rt.writeStream("levels", n)
    tags.write("line/speed", n)
    rt.writeStream("levels", n + 100)
    return n

@workflow
def w():
    rt.setEvent("level", 0)
    fill(1)
    rt.writeStream("levels", "between")
    fill(2)
    tags.read("line/speed")
    rt.recv("go", 0)
    fill(3)
    rt.progress("done")
    rt.setEvent("last", rt.now() > 0)
`

// said returns the items of the log of a run, without the times.
func said(t *testing.T, b *box, id string) []string {
	t.Helper()
	log, err := b.e.Log(t.Context(), id, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	last := uint32(0)
	for _, l := range log {
		if l.Seq <= last {
			t.Errorf("the log goes from %d to %d", last, l.Seq)
		}
		last = l.Seq
		text := shown(t, l.Value)
		if l.Stream == "log" {
			v, err := value.Decode(l.Value)
			if err != nil {
				t.Fatal(err)
			}
			m := v.(*value.Map)
			message, _ := m.Get("message")
			text = message.(string)
		}
		all = append(all, l.Stream+" "+text)
	}
	return all
}

// TestSaidInStep sees what a step tells the outside, in its place among what
// the workflow tells.
func TestSaidInStep(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": saysInStep})...)
	id := b.start("w")
	info := b.result(id)
	if info.Status != engine.Success || shown(t, info.Events["level"]) != "3" || shown(t, info.Events["phase.last_message"]) != `"done"` || info.Events["last"] == nil {
		t.Errorf("ended as %s with %+v, %v", info.Status, info.Error, info.Events)
	}
	sameLines(t, "log", said(t, b, id), saidOnce())
}

func saidOnce() []string {
	return strings.Split("log filling,levels 1,levels 101,levels \"between\",log filling,levels 2,levels 102,log filling,levels 3,levels 103,log done", ",")
}

// TestSaidInStepAfterPowerLoss cuts the power at every change of the journal,
// and sees all of it said at least once, in order, and the run end as ever.
func TestSaidInStepAfterPowerLoss(t *testing.T) {
	t.Parallel()
	files := map[string]string{"w.star": saysInStep}
	for k := uint64(1); ; k++ {
		b, id, ended := cutLife(t, k, files)
		info := b.result(id)
		if info.Status != engine.Success || shown(t, info.Events["level"]) != "3" || info.Events["last"] == nil {
			t.Fatalf("cut after %d: ended as %s with %+v, %v", k, info.Status, info.Error, info.Events)
		}
		rest := said(t, b, id)
		for _, want := range saidOnce() {
			for len(rest) > 0 && rest[0] != want {
				rest = rest[1:]
			}
			if len(rest) == 0 {
				t.Fatalf("cut after %d: %q is missing in %q", k, want, said(t, b, id))
			}
			rest = rest[1:]
		}
		b.shutdown()
		if ended {
			break
		}
		if k > 200 {
			t.Fatal("the run never ends")
		}
	}
}
