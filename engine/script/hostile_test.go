package script

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// hostileAlloc bounds what a hostile script may make the process allocate from
// its start to its end, garbage included: a run's memory is bounded to 32 MiB,
// and one value to 16 MiB, which are copied a few times on their way.
const hostileAlloc = 512 << 20

// hostile returns the scripts in testdata/hostile by name.
func hostile(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("testdata/hostile/*.star")
	if err != nil || len(names) == 0 {
		t.Fatalf("%d scripts, %v", len(names), err)
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".star")] = string(text)
	}
	return all
}

// byTime is the bound that computation runs into.
const byTime = "steps of computation"

// boundOf returns the words of the bound that a script runs into, which it
// names in its first line.
func boundOf(t *testing.T, src string) string {
	t.Helper()
	line, _, _ := strings.Cut(src, "\n")
	bound, ok := strings.CutPrefix(line, "# bound: ")
	if !ok || bound == "" {
		t.Fatal("it names no bound")
	}
	return bound
}

// TestHostile runs each script of testdata/hostile to its end, which is
// LimitExceeded by the bound that it names, and sees what was allocated
// meanwhile.
func TestHostile(t *testing.T) { // not parallel: it looks at the whole process
	for name, src := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			bound := boundOf(t, src)
			p := newPlant()
			o := Options{MaxSteps: 2_000_000}
			if bound == byTime {
				o.MaxSteps = 500_000
			}
			f := p.front(t, o)
			b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": src})...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			info := b.result(b.start("w"))
			runtime.ReadMemStats(&after)
			made := after.TotalAlloc - before.TotalAlloc
			if info.Status != engine.Error || info.Error.Type != "LimitExceeded" || !strings.Contains(info.Error.Traceback, "w.star:") && info.Error.Step == "" && name != "shared_result" {
				t.Errorf("ended as %s with %+v", info.Status, info.Error)
			}
			if info.Error != nil && !strings.Contains(info.Error.Message, bound) {
				t.Errorf("the bound is not %q: %s", bound, info.Error.Message)
			}
			if made > hostileAlloc {
				t.Errorf("%d MiB were allocated", made>>20)
			}
			if n := len(info.Error.Message); n > 1000 {
				t.Errorf("the message has %d bytes", n)
			}
			if p.count("tags.write") > 0 {
				t.Error("something was written")
			}
			t.Logf("%.1f MiB: %s", float64(made)/(1<<20), info.Error.Message)
		})
	}
}

// resume is a run in two lives: started, waiting when the process ends, and
// then on its way in a process of its own.
func resume(t *testing.T, src string) (*box, engine.RunInfo) {
	t.Helper()
	src = strings.Replace(src, "def w():\n", "def w():\n    getWorkflows().recv(\"go\", 3600)\n", 1)
	dir := t.TempDir()
	life := func() *box {
		f := newPlant().front(t, Options{MaxSteps: 2_000_000})
		return boot(t, dir, f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": src})...)
	}
	b := life()
	id := b.start("w")
	b.await(id, func(i engine.RunInfo) bool { return i.Status == engine.Running })
	b.shutdown()
	b = life()
	if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go", Body: value.AppendNil(nil)}); err != nil {
		t.Fatal(err)
	}
	return b, b.result(id)
}

// TestHostileAfterRestart sees that a run which holds such a script comes back
// after a restart, and then ends as it would have.
func TestHostileAfterRestart(t *testing.T) {
	t.Parallel()
	for name, src := range hostile(t) {
		if b := boundOf(t, src); !strings.Contains(b, "be kept") && !strings.Contains(b, "would take") && !strings.Contains(b, "nested") {
			continue // they make nothing that is recorded
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, info := resume(t, src); info.Status != engine.Error || info.Error.Type != "LimitExceeded" {
				t.Errorf("ended as %s with %+v", info.Status, info.Error)
			}
		})
	}
}

// TestHostileObeys runs the scripts that take time, with no bound on it, some at
// once, and sees a cancel end them, and a shutdown.
func TestHostileObeys(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for name, src := range hostile(t) {
		if boundOf(t, src) == byTime && !strings.HasPrefix(name, "walk_collision") && name != "endless_bytes" { // these two only the bound ends, or that on memory
			src = strings.Replace(src, "@workflow\ndef w():\n", "@workflow(name = \""+name+"\")\ndef w():\n    getWorkflows().setEvent(\"at\", 1)\n", 1)
			files[name+".star"] = strings.Replace(src, "@step\n", "@step(name = \"step of "+name+"\")\n", 1)
		}
	}
	f := newPlant().front(t, Options{MaxSteps: 1 << 60})
	all := mustLoad(t, f, files)
	if len(all) < 40 {
		t.Errorf("only %d scripts", len(all))
	}
	for some := range slices.Chunk(all, 8) { // more would want much memory at once
		b := boot(t, t.TempDir(), f, journal.Options{}, some...)
		work := func() (ids []string) {
			for _, w := range some {
				ids = append(ids, b.start(w.Name))
			}
			for i, id := range ids {
				if info := b.await(id, func(i engine.RunInfo) bool { return i.Events["at"] != nil || i.Status.Ended() }); info.Status.Ended() {
					t.Fatalf("%s ended as %s with %+v", some[i].Name, info.Status, info.Error)
				}
			}
			return ids
		}
		ids := work()
		for _, id := range ids {
			if err := b.e.Cancel(t.Context(), id, "", "test"); err != nil {
				t.Fatal(err)
			}
		}
		for i, id := range ids {
			if info := b.result(id); info.Status != engine.Cancelled {
				t.Errorf("%s ended as %s with %+v", some[i].Name, info.Status, info.Error)
			}
		}
		work()
		b.shutdown()
	}
}

// TestHostileReplay cuts the power at every change of the journal, before and
// behind the call that is refused, and sees the same error each time.
func TestHostileReplay(t *testing.T) {
	t.Parallel()
	for name, last := range map[string]string{
		"event":         `rt.setEvent("e", t)`,
		"argument":      `tags.write("line/speed", t)`,
		"result":        `return t`,
		"own step":      `return make(60)`,
		"own step read": `return dicts()`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"w.star": `
rt = getWorkflows()

@step
def make(n):
    t = ()
    for i in range(n):
        t = (t, t)
    return t

@step
def dicts():
    return [[{}] * 1000] * 100

@workflow
def w():
    tags.write("line/speed", 1)
    t = make(2)
    for i in range(60):
        t = [t, t]
    attempt(tags.read, "nothing")
    rt.setEvent("at", 1)
    ` + last + "\n"}
			want := ""
			for k := uint64(0); ; k++ { // 0: without a cut
				info, ended := cutRun(t, k, files)
				if want == "" {
					want = info.Error.Error()
				}
				if info.Status != engine.Error || info.Error.Type != "LimitExceeded" || info.Error.Error() != want {
					t.Errorf("cut after %d: ended as %s with %+v", k, info.Status, info.Error)
				}
				if ended && k > 0 {
					break
				}
				if k > 100 {
					t.Fatal("the run never ends")
				}
			}
			t.Log(want)
		})
	}
}

// cutRun stops the journal after k changes, starts anew on what it has, and
// returns how the run ended, and whether that was before the cut.
func cutRun(t *testing.T, k uint64, files map[string]string) (engine.RunInfo, bool) {
	t.Helper()
	b, id, ended := cutLife(t, k, files)
	return b.result(id), ended
}

// cutLife is cutRun, but that it returns the second life with its run.
func cutLife(t *testing.T, k uint64, files map[string]string) (second *box, id string, ended bool) {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var o journal.Options
	if k > 0 {
		o = journaltest.CrashAfter(k)
		crash := o.BeforeAppend
		o.BeforeAppend = func(n uint64, c journal.Change) error {
			err := crash(n, c)
			if err != nil {
				cancel()
			}
			return err
		}
	}
	life := func(o journal.Options) *box {
		f := newPlant().front(t, Options{MaxMemory: 16 << 20})
		return boot(t, dir, f, o, mustLoad(t, f, files)...)
	}
	b := life(o)
	id = b.start("w")
	for version := uint64(0); !ended; {
		var err error
		if version, ended, err = b.e.Await(ctx, id, version); err != nil {
			break
		}
	}
	b.shutdown()
	return life(journal.Options{}), id, ended
}
