package script

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// plant stands for the outside world: tags, and how often each step ran.
type plant struct {
	mu    sync.Mutex
	tags  map[string]any
	calls map[string]int
	fails map[string]int // how many more calls of a step fail
}

func newPlant() *plant {
	return &plant{tags: map[string]any{"line/speed": int64(7)}, calls: map[string]int{}, fails: map[string]int{}}
}

func (p *plant) count(step string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[step]
}

// fakeStep is a built-in step on the plant.
type fakeStep struct {
	name   string
	params []engine.Param
	plant  *plant
	run    func(p *plant, a engine.Args) (any, error)
}

func (s *fakeStep) Name() string           { return s.name }
func (s *fakeStep) Params() []engine.Param { return s.params }
func (s *fakeStep) Run(_ context.Context, a engine.Args) (any, error) {
	s.plant.mu.Lock()
	defer s.plant.mu.Unlock()
	s.plant.calls[s.name]++
	if s.plant.fails[s.name] > 0 {
		s.plant.fails[s.name]--
		return nil, engine.Errorf("Unreachable", "the device does not answer")
	}
	return s.run(s.plant, a)
}

// effectStep is a fakeStep that acts on the outside.
type effectStep struct{ fakeStep }

func (*effectStep) Effect(engine.Args) bool { return true }

func need(names ...string) []engine.Param {
	var ps []engine.Param
	for _, n := range names {
		ps = append(ps, engine.Param{Name: n, Required: true})
	}
	return ps
}

func (p *plant) steps() []engine.Step {
	ms := func(n int64) engine.Param { return engine.Param{Name: "chunk_ms", Default: n} }
	return []engine.Step{
		&fakeStep{"tags.read", need("path"), p, func(p *plant, a engine.Args) (any, error) {
			path, err := a.String("path")
			if err != nil {
				return nil, err
			}
			v, ok := p.tags[path]
			if !ok {
				return nil, engine.Errorf("NoSuchTag", "there is no tag %s", path)
			}
			return value.NewMap("value", v, "quality", "Good", "timestamp", "2026-01-01T00:00:00.000Z"), nil
		}},
		&effectStep{fakeStep{"tags.write", need("path", "value"), p, func(p *plant, a engine.Args) (any, error) {
			path, err := a.String("path")
			if err != nil {
				return nil, err
			}
			p.tags[path] = a.Value("value")
			return value.NewMap("quality", "Good", "outcome", "accepted"), nil
		}}},
		&effectStep{fakeStep{"tags.write_confirm", append(need("path", "value"), engine.Param{Name: "confirm_path"},
			engine.Param{Name: "timeout_ms", Default: int64(10000)}, engine.Param{Name: "poll_ms", Default: int64(250)}), p,
			func(p *plant, a engine.Args) (any, error) {
				return value.NewMap("ok", true, "args", a.Values), nil
			}}},
		&fakeStep{"sleep.sleep_chunked", append(need("total_ms"), ms(250)), p, func(_ *plant, a engine.Args) (any, error) {
			n, err := a.Int("total_ms")
			return value.NewMap("slept_ms", n, "chunks", int64(1), "chunk_ms", a.Value("chunk_ms")), err
		}},
		&fakeStep{"db.update", append(need("dbName", "sql"), engine.Param{Name: "args"}), p, func(_ *plant, a engine.Args) (any, error) {
			return value.NewMap("rows_affected", int64(1)), nil
		}},
		&fakeStep{"http.request", need("method", "url"), p, func(_ *plant, a engine.Args) (any, error) {
			return value.NewMap("status", int64(200), "text", "{}", "headers", &value.Map{}), nil
		}},
		&fakeStep{"wait.until_tag_equals", need("path", "expected"), p, func(_ *plant, a engine.Args) (any, error) {
			return value.NewMap("ok", true), nil
		}},
	}
}

// front makes a Front on the plant's steps.
func (p *plant) front(t testing.TB, o Options) *Front {
	t.Helper()
	o.Steps = p.steps()
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// writeFiles puts files, by name, into a folder of the test's own.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// mustLoad loads files that have no faults.
func mustLoad(t testing.TB, f *Front, files map[string]string) []engine.Workflow {
	t.Helper()
	ws, faults := f.LoadDir(writeFiles(t, files))
	for _, ft := range faults {
		t.Error(ft)
	}
	if len(faults) > 0 {
		t.FailNow()
	}
	return ws
}

// box is one life of the process: a journal and an engine on it.
type box struct {
	t    testing.TB
	j    *journal.Journal
	e    *engine.Engine
	stop context.CancelFunc
	over chan struct{}
}

func boot(t testing.TB, dir string, f *Front, o journal.Options, ws ...engine.Workflow) *box {
	t.Helper()
	b := &box{t: t, j: journaltest.OpenIn(t, dir, o), over: make(chan struct{})}
	var safe engine.Step
	for _, s := range f.builtin {
		if s.name == "tags.write" {
			safe = s.step
		}
	}
	var err error
	if b.e, err = engine.New(engine.Config{Loader: f, SafeWrite: safe}, b.j); err != nil {
		t.Fatal(err)
	}
	if err := b.e.Register(ws...); err != nil {
		t.Fatal(err)
	}
	if _, err := b.e.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	b.stop = stop
	go func() {
		defer close(b.over)
		if err := b.e.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(b.shutdown)
	return b
}

// shutdown ends this life in order.
func (b *box) shutdown() {
	b.stop()
	<-b.over
	if err := b.j.Close(); err != nil && !errors.Is(err, journaltest.ErrCrash) {
		b.t.Error(err)
	}
}

func (b *box) start(workflow string, inputs ...any) string {
	b.t.Helper()
	raw, err := value.Encode(value.NewMap(inputs...))
	if err != nil {
		b.t.Fatal(err)
	}
	for {
		s, err := b.e.Start(b.t.Context(), engine.StartRequest{Workflow: workflow, Inputs: raw})
		var p *engine.Problem
		if errors.As(err, &p) && p.Code == engine.Unavailable && b.j.Err() == nil {
			continue // Run has not begun yet
		}
		if err != nil {
			b.t.Fatal(err)
		}
		return s.ID
	}
}

// await waits until the run is as ok wants it.
func (b *box) await(id string, ok func(engine.RunInfo) bool) engine.RunInfo {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	for version := uint64(0); ; {
		info, err := b.e.Show(ctx, id)
		if err != nil {
			b.t.Fatal(err)
		}
		if ok(info) {
			return info
		}
		if version, _, err = b.e.Await(ctx, id, version); err != nil {
			b.t.Fatalf("run is %+v: %v", info, err)
		}
	}
}

func (b *box) result(id string) engine.RunInfo {
	b.t.Helper()
	return b.await(id, func(i engine.RunInfo) bool { return i.Status.Ended() })
}

// run runs the workflow w of one file to its end.
func run(t testing.TB, o Options, src string, inputs ...any) (engine.RunInfo, *plant) {
	t.Helper()
	p := newPlant()
	return runOn(t, p, o, src, inputs...), p
}

func runOn(t testing.TB, p *plant, o Options, src string, inputs ...any) engine.RunInfo {
	t.Helper()
	f := p.front(t, o)
	b := boot(t, t.TempDir(), f, journal.Options{}, mustLoad(t, f, map[string]string{"w.star": src})...)
	return b.result(b.start("w", inputs...))
}

// shown is a value as JSON.
func shown(t testing.TB, r value.Raw) string {
	t.Helper()
	b, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func sameLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
