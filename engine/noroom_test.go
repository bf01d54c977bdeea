package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/internal/smallfs"
	"holdfast/journal"
)

// fullBox is a box whose disk can be filled.
type fullBox struct {
	*box
	fs  *smallfs.FS
	dir string
	n   int
}

var smallLog = journal.Options{LogBytes: 1 << 20, Reserve: 400 << 10}

// bootSmall returns nil where the test is run elsewhere.
func bootSmall(t *testing.T, cfg engine.Config, wfs ...engine.Workflow) *fullBox {
	t.Helper()
	fs := smallfs.Mount(t, 8<<20)
	if fs == nil {
		return nil
	}
	f := &fullBox{fs: fs, dir: filepath.Join(fs.Dir, "data")}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.box = boot(t, f.dir, cfg, smallLog, wfs...)
	return f
}

// fill fills the disk, and the log up to its reserve; with all, that too.
func (f *fullBox) fill(all bool) {
	f.t.Helper()
	f.fs.Fill(0)
	w := f.j.Writer()
	value := []byte(strings.Repeat("x", 3000))
	for essential := false; ; {
		f.n++
		err := w.Commit(journal.Change{State: []journal.Entry{{Table: "test", Key: fmt.Sprint(f.n), Value: value}}, Essential: essential})
		switch {
		case err == nil:
		case !errors.Is(err, journal.ErrNoRoom):
			f.t.Fatal(err)
		case len(value) > 1:
			value = value[:1]
		case essential == all:
			return
		default:
			essential = true
		}
	}
}

// soon waits until ok holds.
func (f *fullBox) soon(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); {
		if time.Now().After(end) {
			f.t.Fatalf("%s: not in a minute; %+v", what, f.e.Health())
		}
		<-time.After(time.Millisecond)
	}
}

// ticker writes 1, 2, 3 … each after a message.
func ticker(d, safe *device) (engine.Workflow, engine.Config) {
	return engine.Workflow{Name: "ticker", SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(100))}},
		Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			for i := int64(1); ; i++ {
				if _, err := r.Recv("go", 1<<50); err != nil {
					return nil, err
				}
				if err := write(r, d, i); err != nil {
					return nil, err
				}
			}
		})}, engine.Config{SafeWrite: writeStep{safe}}
}

// On a full disk no effect begins. HOLD, STOP and ABORT are taken all the same,
// the safe state is written, also after a restart; and when there is room the
// others go on, with nothing lost and nothing done twice.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	d, safe := &device{}, &device{}
	wf, cfg := ticker(d, safe)
	b := bootSmall(t, cfg, wf)
	if b == nil {
		return
	}
	var ids []string
	for range 5 {
		ids = append(ids, b.start(engine.StartRequest{Workflow: "ticker"}))
	}
	send := func(id string) {
		if _, err := b.e.Send(t.Context(), id, engine.Message{Topic: "go"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		send(id)
	}
	b.soon("5 writes", func() bool { return len(d.written()) == 5 })
	for _, id := range ids {
		b.await(id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		send(id) // each is about to write; those that are too late for that wait for room
	}
	b.fill(false)
	b.soon("quiet", func() bool { return b.e.Health().JournalRoom != "" })
	h := b.e.Health()
	if len(h.Alarms) == 0 || !strings.Contains(h.Alarms[0].Message, "the journal has no room: ") ||
		!strings.HasSuffix(h.Alarms[0].Message, ": no new effects until there is; HOLD, STOP, ABORT are recorded") || h.Alarms[0].Since.IsZero() {
		t.Errorf("alarms: %+v", h.Alarms)
	}
	var p *engine.Problem
	if _, err := b.e.Start(t.Context(), engine.StartRequest{Workflow: "ticker"}); !errors.As(err, &p) || p.Code != engine.Unavailable {
		t.Errorf("a start: %v", err)
	}
	if _, err := b.e.Send(t.Context(), ids[0], engine.Message{Topic: "go"}); !errors.As(err, &p) || p.Code != engine.Unavailable {
		t.Errorf("a message: %v", err)
	}
	if f := b.fate(b.command(ids[0], isa88.Hold)); f != "taken" {
		t.Errorf("HOLD is %s", f)
	}
	b.command(ids[1], isa88.Stop)
	if got := b.result(ids[1]); got.State != isa88.Stopped || len(got.SafeState) != 1 || !got.SafeState[0].OK {
		t.Errorf("stopped run is %+v", got)
	}
	b.shutdown()
	b.box = boot(t, b.dir, cfg, smallLog, wf)
	b.await(ids[0], isState(isa88.Held))
	b.command(ids[2], isa88.Abort)
	if got := b.result(ids[2]); got.State != isa88.Aborted || len(got.SafeState) != 1 || !got.SafeState[0].OK {
		t.Errorf("aborted run is %+v", got)
	}
	if n := len(safe.written()); n != 2 {
		t.Errorf("%d safe states were written", n)
	}
	b.fs.Empty()
	b.soon("room", func() bool { h := b.e.Health(); return h.JournalRoom == "" && len(h.Alarms) == 0 })
	b.command(ids[0], isa88.Resume)
	b.soon("the second round", func() bool { return count(d.written(), 2) >= 3 })
	for _, id := range []string{ids[0], ids[3], ids[4]} {
		send(id)
	}
	b.soon("the third round", func() bool { return count(d.written(), 3) == 3 })
	if w := d.written(); count(w, 1) != 5 || count(w, 2) < 3 || count(w, 2) > 5 {
		t.Errorf("wrote %v", w)
	}
	b.shutdown()
}

func count(all []int64, v int64) (n int) {
	for _, x := range all {
		if x == v {
			n++
		}
	}
	return n
}

// A run that polls, and gets the same answer all the time, is aborted on a full
// disk, and its safe state is written: the count of its answers is no obstacle.
func TestAbortOfPollOnFullDisk(t *testing.T) {
	t.Parallel()
	d, safe := &device{}, &device{}
	polls := make(chan struct{})
	wf := engine.Workflow{Name: "poll", SafeState: []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(100))}},
		Program: program(func(ctx context.Context, r *engine.Run) (any, error) {
			for {
				if _, err := r.Step(engine.Call{Step: readStep{d}, Args: args()}); err != nil {
					return nil, err
				}
				select {
				case polls <- struct{}{}:
				case <-ctx.Done():
				}
			}
		})}
	b := bootSmall(t, engine.Config{SafeWrite: writeStep{safe}}, wf)
	if b == nil {
		return
	}
	defer b.shutdown()
	id := b.start(engine.StartRequest{Workflow: "poll"})
	for range 10 {
		<-polls
	}
	b.fill(false)
	b.command(id, isa88.Abort)
	if err := b.e.Cancel(t.Context(), id, "", ""); err != nil && !strings.Contains(err.Error(), "ended") {
		t.Fatal(err)
	}
	got := b.result(id)
	if !slices.Equal(safe.written(), []int64{100}) || len(got.SafeState) != 1 {
		t.Errorf("run is %+v, safe state %v", got, safe.written())
	}
}

// With the reserve used up, too, commands are refused and do not hang; a run that
// was told to stop before is at its end when there is room, with its safe state.
func TestReserveUsedUp(t *testing.T) {
	t.Parallel()
	d, safe := &device{}, &device{}
	d.block, d.atGate = make(chan struct{}), make(chan struct{}, 2)
	wf := chain(d, 3)
	wf.SafeState = []engine.SafeWrite{{Tag: "valve", Value: encoded(int64(100))}}
	other := waiter()
	b := bootSmall(t, engine.Config{SafeWrite: writeStep{safe}}, wf, other)
	if b == nil {
		return
	}
	defer b.shutdown()
	id, second := b.start(engine.StartRequest{Workflow: "chain"}), b.start(engine.StartRequest{Workflow: "waiter"})
	third := b.start(engine.StartRequest{Workflow: "chain"})
	<-d.atGate
	<-d.atGate
	b.command(id, isa88.Stop)
	b.command(third, isa88.Abort)
	b.fill(true)
	close(d.block) // the write ends; its outcome, and the end of the run, find no room
	var p *engine.Problem
	for _, run := range []string{id, second} {
		if _, err := b.e.Command(t.Context(), run, isa88.Abort, "", ""); !errors.As(err, &p) || p.Code != engine.Unavailable {
			t.Errorf("ABORT: %v", err)
		}
	}
	if _, err := b.e.CommandAll(t.Context(), engine.Selection{All: true}, isa88.Stop, "", ""); !errors.As(err, &p) || p.Code != engine.Unavailable {
		t.Errorf("STOP of all: %v", err)
	}
	b.fs.Empty()
	got := b.result(id)
	if got.State != isa88.Stopped || len(got.SafeState) != 1 {
		t.Errorf("the stopped run is %+v", got)
	}
	if got = b.result(third); got.State != isa88.Aborted || len(got.SafeState) != 1 {
		t.Errorf("the aborted run is %+v", got)
	}
	if !slices.Equal(safe.written(), []int64{100, 100}) || !slices.Equal(d.written(), []int64{1, 1}) {
		t.Errorf("wrote %v, safe states %v", d.written(), safe.written())
	}
}

// An answer that finds no room, with the reserve used up, keeps no command from
// being refused; and holds when there is room.
func TestAnswerWithReserveUsedUp(t *testing.T) {
	t.Parallel()
	dir, d := t.TempDir(), &device{}
	id := interruptedWrite(t, dir, d, 77)
	fs := smallfs.Mount(t, 80<<20)
	if fs == nil {
		return
	}
	b := &fullBox{fs: fs, dir: filepath.Join(fs.Dir, "data")}
	if err := os.CopyFS(b.dir, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	wf := chain(d, 3)
	b.box = boot(t, b.dir, engine.Config{}, smallLog, wf)
	defer b.shutdown()
	b.await(id, func(i engine.RunInfo) bool { return i.InDoubt != nil })
	b.fill(true)
	var p *engine.Problem
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done"}); !errors.As(err, &p) || p.Code != engine.Unavailable {
		t.Errorf("an answer: %v", err)
	}
	b.fs.Empty()
	b.soon("room", func() bool { return b.e.Health().JournalRoom == "" })
	if err := b.e.Resolve(t.Context(), id, engine.Answer{Decision: "done"}); err != nil {
		t.Fatal(err)
	}
	if got := b.result(id); got.Status != engine.Success {
		t.Errorf("run is %+v", got)
	}
}
