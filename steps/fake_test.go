package steps

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"holdfast/engine"
	runrecord "holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/gateway/tag"
)

// plant is a Tags in memory. Its devices take no time unless told to.
type plant struct {
	mu      sync.Mutex
	tags    map[tag.Path]*cell
	watches []*watch
	reads   []time.Time
	latency time.Duration                             // of a read, with the value as it was at its begin
	onWrite func(tag.Path, tag.Value) *tag.Outcome    // called with mu held; nil: take the value
	refuse  func(tag.Path, tag.Value) (refusal error) // nil: permit
}

type cell struct {
	info   tag.Info
	value  tag.Value
	status tag.StatusCode
}

type watch struct {
	path tag.Path
	out  chan tag.Update // one slot; closed when the watch's context ends
}

func newPlant(infos ...tag.Info) *plant {
	p := &plant{tags: map[tag.Path]*cell{}}
	for _, i := range infos {
		p.tags[i.Path] = &cell{info: i, value: tag.Int(0), status: tag.Good}
	}
	return p
}

// put changes a tag at its device, and tells the watches as a scan would.
func (p *plant) put(path tag.Path, v tag.Value, status tag.StatusCode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(path, v, status)
}

func (p *plant) set(path tag.Path, v tag.Value, status tag.StatusCode) {
	p.quietly(path, v, status)
	for _, w := range p.watches {
		if w.path == path {
			w.put(tag.Update{Path: path, Sample: p.sample(path), Asked: time.Now()})
		}
	}
}

// quietly changes a tag of which nobody is told.
func (p *plant) quietly(path tag.Path, v tag.Value, status tag.StatusCode) {
	c := p.tags[path]
	c.value, c.status = v, status
}

func (w *watch) put(u tag.Update) {
	select {
	case <-w.out:
	default:
	}
	w.out <- u
}

func (p *plant) sample(path tag.Path) tag.Sample {
	c := p.tags[path]
	if c.status.IsBad() {
		return tag.BadSample(c.status, time.Now())
	}
	return tag.Sample{Value: c.value, Status: c.status, Received: time.Now()}
}

func (p *plant) Read(ctx context.Context, path tag.Path, _ time.Time) (tag.Sample, error) {
	p.mu.Lock()
	if p.tags[path] == nil {
		p.mu.Unlock()
		return tag.Sample{}, &tag.Refusal{Path: path, Reason: tag.NoSuchTag, Message: "is not in the table"}
	}
	p.reads = append(p.reads, time.Now())
	s, latency := p.sample(path), p.latency
	p.mu.Unlock()
	if latency > 0 {
		t := time.NewTimer(latency)
		defer t.Stop()
		select {
		case <-t.C:
			s.Received = time.Now()
		case <-ctx.Done():
			return tag.Sample{}, ctx.Err()
		}
	}
	return s, ctx.Err()
}

func (p *plant) Write(ctx context.Context, path tag.Path, v tag.Value) (tag.Outcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return tag.Outcome{}, err
	}
	if p.refuse != nil {
		if err := p.refuse(path, v); err != nil {
			return tag.Outcome{}, err
		}
	}
	if p.onWrite != nil {
		if out := p.onWrite(path, v); out != nil {
			return *out, nil
		}
	}
	back, err := p.tags[path].info.Shown(v)
	if err != nil {
		return tag.Outcome{}, &tag.Refusal{Path: path, Reason: tag.BadValue, Message: err.Error()}
	}
	p.set(path, back, tag.Good)
	return tag.Outcome{Result: tag.Accepted}, nil
}

func (p *plant) Watch(ctx context.Context, paths ...tag.Path) (<-chan tag.Update, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &watch{path: paths[0], out: make(chan tag.Update, 1)}
	// What the image has is older than the watch.
	w.put(tag.Update{Path: w.path, Sample: p.sample(w.path), Asked: time.Now().Add(-time.Millisecond)})
	p.watches = append(p.watches, w)
	context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for i, o := range p.watches {
			if o == w {
				p.watches = append(p.watches[:i], p.watches[i+1:]...)
			}
		}
		close(w.out)
	})
	return w.out, nil
}

func (p *plant) Lookup(path tag.Path) (tag.Info, bool) {
	c := p.tags[path]
	if c == nil {
		return tag.Info{}, false
	}
	return c.info, true
}

// named returns a step of a list.
func named(t *testing.T, list []engine.Step, name string) engine.Step {
	t.Helper()
	for _, s := range list {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("no step %s", name)
	return nil
}

// call makes the arguments of a step as the engine does: as decoded, with defaults.
func call(t *testing.T, s engine.Step, kv ...any) engine.Args {
	t.Helper()
	given, all := value.NewMap(kv...), &value.Map{}
	for _, p := range s.Params() {
		v, ok := given.Get(p.Name)
		if !ok {
			if p.Required {
				t.Fatalf("%s needs %s", s.Name(), p.Name)
			}
			v = p.Default
		}
		all.Set(p.Name, v)
	}
	return engine.Args{Key: runrecord.Key{Box: "box", Run: "run-1", Place: runrecord.Place{Seq: 7}}, Attempt: 1, Began: time.Now(), Values: recode(t, all).(*value.Map)}
}

// recode passes a value through the record.
func recode(t *testing.T, v any) any {
	t.Helper()
	r, err := value.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := value.Decode(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// attempt prepares and runs a step as the engine does.
func attempt(t *testing.T, ctx context.Context, s engine.Step, a engine.Args) (any, error) {
	t.Helper()
	if p, ok := s.(engine.Preparer); ok {
		v, err := p.Prepare(ctx, a)
		if err != nil {
			return nil, err
		}
		a.Prepared = recode(t, v)
	}
	return s.Run(ctx, a)
}

// shows checks a result by its JSON.
func shows(t *testing.T, res any, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatalf("got error %v, want %s", err, want)
	}
	got, err := value.AppendJSON(nil, recode(t, res))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// fails checks the type and the message of a step error.
func fails(t *testing.T, err error, kind, message string) *engine.StepError {
	t.Helper()
	var e *engine.StepError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a step error %s", err, kind)
	}
	if e.Type != kind || message != "" && e.Message != message {
		t.Errorf("got  %s: %s\nwant %s: %s", e.Type, e.Message, kind, message)
	}
	return e
}
