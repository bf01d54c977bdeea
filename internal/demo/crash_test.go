package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/internal/config"
	"holdfast/journal"
)

var errCut = errors.New("the power is cut")

// cut is a loss of power behind a change of the journal. What the run does
// behind that change, up to the next one, still happens, and nobody is told;
// if early, it does not happen.
type cut struct {
	after  uint64 // the last change that is kept; 0: there is no cut
	early  bool
	last   atomic.Uint64 // change so far
	sent   atomic.Bool   // a write went out behind the last change kept
	lights sync.Once
	dark   chan struct{} // closed by the cut
}

func newCut(after uint64, early bool) *cut {
	return &cut{after: after, early: early, dark: make(chan struct{})}
}

func (c *cut) options() journal.Options {
	return journal.Options{BeforeAppend: func(n uint64, _ journal.Change) error {
		if c.after > 0 && n > c.after {
			c.lights.Do(func() { close(c.dark) })
			return errCut
		}
		c.last.Store(n)
		return nil
	}}
}

// lost says whether an effect that is about to begin does not reach the world.
func (c *cut) lost() bool {
	if c.after == 0 || c.last.Load() != c.after {
		return false
	}
	c.sent.Store(true)
	if c.early {
		c.lights.Do(func() { close(c.dark) })
	}
	return c.early
}

// scenario is one run of an example, with what its operator does.
type scenario struct {
	name     string
	workflow string
	inputs   *value.Map
	word     isa88.Command // said at once; whatever is HELD is answered with RESUME
	want     string
	writes   []string
	idle     int // the last so many writes change nothing: one that is cut off is proven done before it was sent

	// How a run may end instead that was in doubt when the command came.
	doubtful       string
	doubtfulWrites []string
}

func scenarios() []scenario {
	start := []string{`press/recipe "Lemonade 0.5 l"`, "press/batch_no 7", "press/lamp true", "filler/speed_sp 60", "filler/start true"}
	bottle := []string{"filler/valve true", "filler/valve false"}
	stop := []string{"filler/speed_sp 0", "press/lamp false"}
	batch := value.NewMap("bottles", int64(2), "batch_no", int64(7))
	const filled = `SUCCESS COMPLETE {"ok":true,"bottles":2,"batch_no":7}`
	return []scenario{
		{name: "fill_batch", workflow: "bottling.fill_batch", inputs: batch, want: filled, writes: slices.Concat(start, bottle, bottle, stop)},
		{name: "fill_batch, held and resumed", workflow: "bottling.fill_batch", inputs: batch, word: isa88.Hold, want: filled,
			writes: slices.Concat(start, []string{"press/lamp false", "press/lamp true"}, bottle, bottle, stop),
			// While the pulse is in doubt the engine refuses HOLD: the run stands still already.
			doubtful: filled, doubtfulWrites: slices.Concat(start, bottle, bottle, stop)},
		{name: "fill_batch, stopped", workflow: "bottling.fill_batch", inputs: batch, word: isa88.Stop,
			want: `SUCCESS STOPPED {"ok":false,"bottles":0,"batch_no":7}`, writes: slices.Concat(start, stop, []string{"filler/valve false", "press/lamp false"}), idle: 2,
			// While the pulse is in doubt the engine takes STOP, and writes the safe state.
			doubtful: "CANCELLED STOPPED stopped by an operator", doubtfulWrites: append(slices.Clone(start[:4]), "filler/valve false", "press/lamp false")},
		{name: "engine_hold", workflow: "bottling.rinse", inputs: value.NewMap("times", int64(2)), want: `SUCCESS COMPLETE {"times":2}`, writes: slices.Concat(bottle, bottle)},
		{name: "demo_small", workflow: "demo.small", inputs: value.NewMap("duration_s", int64(2)), want: `SUCCESS COMPLETE {"ok":true}`},
		{name: "demo_small, retry", workflow: "demo.retry", inputs: value.NewMap("x", int64(3)), want: `SUCCESS COMPLETE 3`},
		{name: "mailbox", workflow: "demo.mailbox", inputs: value.NewMap("rounds", int64(20)), word: isa88.Hold, want: `SUCCESS COMPLETE {"holds":1}`},
	}
}

// life is one life of the gateway; it returns how the run ended, or "" where
// the power went before.
func (s scenario) life(t *testing.T, dir string, cfg *config.Config, site *site, c *cut) string {
	t.Helper()
	b := boot(t, dir, cfg, cable{site, c.lost}, c.options())
	defer b.end(c.after > 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		select {
		case <-c.dark:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.begin(ctx, b.engine); err != nil {
		if c.after == 0 {
			t.Error(err)
		}
		return ""
	}
	for version, answered := uint64(0), uint64(0); ; {
		now, ended, err := b.engine.Await(ctx, "run", version)
		if err != nil {
			return ""
		}
		info, err := b.engine.Show(ctx, "run")
		if err != nil {
			return ""
		}
		if ended {
			return fmt.Sprintf("%s %s %s", info.Status, info.State, shown(t, info))
		}
		if info.State == isa88.Held && answered != now {
			answered = now
			if err := s.answer(ctx, b.engine, site, info); err != nil && ctx.Err() == nil && b.journal.Err() == nil {
				t.Errorf("the operator's answer: %v", err)
			}
		}
		version = now
	}
}

func shown(t *testing.T, info engine.RunInfo) string {
	t.Helper()
	if info.Error != nil {
		return info.Error.Message
	}
	b, err := info.Result.MarshalJSON()
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// begin starts the run, and gives the command of the scenario. Both are done
// again in each life: the engine knows what it has already.
func (s scenario) begin(ctx context.Context, e *engine.Engine) error {
	in, err := value.Encode(s.inputs)
	if err != nil {
		return err
	}
	if _, err := e.Start(ctx, engine.StartRequest{Workflow: s.workflow, ID: "run", Inputs: in}); err != nil || s.word == "" {
		return err
	}
	return say(ctx, e, s.word, "first")
}

// say sends a command that is taken once, however often it is said. A run that
// has ended takes no more.
func say(ctx context.Context, e *engine.Engine, c isa88.Command, uuid string) error {
	body, err := value.Encode(value.NewMap("cmd", string(c)))
	if err != nil {
		return err
	}
	_, err = e.Send(ctx, "run", engine.Message{Topic: "cmd", Body: body, UUID: uuid})
	return unlessLate(err)
}

// unlessLate returns err, unless it says that the run has gone on meanwhile.
func unlessLate(err error) error {
	var p *engine.Problem
	if errors.As(err, &p) && p.Code == engine.Refused {
		return nil
	}
	return err
}

// answer is what the operator does about a run that is HELD: RESUME, or where
// there is a question, the answer that the plant gives.
func (s scenario) answer(ctx context.Context, e *engine.Engine, site *site, info engine.RunInfo) error {
	if info.InDoubt == nil {
		uuid := fmt.Sprintf("resume %d", info.Recoveries)
		if s.word != "" {
			uuid = "resume"
		}
		return say(ctx, e, isa88.Resume, uuid)
	}
	decision := "retry"
	if slices.Contains(site.written(), info.InDoubt.Tag+" true") {
		decision = "done"
	}
	if err := unlessLate(e.Resolve(ctx, "run", engine.Answer{Decision: decision})); err != nil || s.word == "" {
		return err
	}
	return say(ctx, e, s.word, "again") // the first was refused while there was a question
}

// wrote reports whether got is what the scenario writes, but for one write.
func (s scenario) wrote(got []string) bool {
	for i := range s.idle {
		at := len(s.writes) - 1 - i
		if slices.Equal(got, slices.Delete(slices.Clone(s.writes), at, at+1)) {
			return true
		}
	}
	return equalButOne(got, s.writes)
}

// equalButOne reports whether got is want, or want with one write to a tag of
// kind set said twice in a row.
func equalButOne(got, want []string) bool {
	if slices.Equal(got, want) {
		return true
	}
	for i := 1; i < len(got); i++ {
		if got[i] == got[i-1] && !strings.HasPrefix(got[i], "filler/start") && slices.Equal(slices.Delete(slices.Clone(got), i, i+1), want) {
			return true
		}
	}
	return false
}

// For each example and each change k of its record: the power goes behind the
// k-th change, the gateway comes back, and the run ends as if nothing had been.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	var all atomic.Int64
	t.Cleanup(func() { t.Logf("crash matrix: %d cuts in all", all.Load()) })
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			cfg := demoConfig(t)
			var cuts, early int64
			for k := uint64(1); ; k++ {
				sent, whole := s.cutAt(t, cfg, k, false)
				if whole {
					break
				}
				cuts++
				if sent {
					s.cutAt(t, cfg, k, true)
					early++
				}
			}
			all.Add(cuts + early)
			t.Logf("cut behind each of %d changes, and %d times with a write that never left", cuts, early)
			if cuts < 5 || (early == 0) != (len(s.writes) == 0) {
				t.Error("that is not the record of this workflow")
			}
		})
	}
}

// No example may be added without its line in the matrix.
func TestCrashMatrixIsWhole(t *testing.T) {
	t.Parallel()
	b := boot(t, t.TempDir(), demoConfig(t), cable{&site{at: time.Now()}, func() bool { return false }}, journal.Options{})
	defer b.end(false)
	covered := map[string]bool{"bottling.report": true} // TestCrashMatrixReport
	for _, s := range scenarios() {
		covered[s.workflow] = true
	}
	for _, w := range b.engine.Workflows() {
		if !covered[w.Name] {
			t.Errorf("%s (%s) is in no scenario", w.Name, w.File)
		}
	}
}

// cutAt returns whether a write followed the change, and whether the run ended
// without as many changes.
func (s scenario) cutAt(t *testing.T, cfg *config.Config, k uint64, early bool) (sent, whole bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		site := &site{at: time.Now()}
		c := newCut(k, early)
		end := s.life(t, dir, cfg, site, c)
		sent, whole = c.sent.Load(), c.last.Load() < k
		if end == "" {
			end = s.life(t, dir, cfg, site, newCut(0, false))
		}
		if s.doubtful != "" && early && end == s.doubtful && slices.Equal(site.written(), s.doubtfulWrites) {
			return
		}
		if end != s.want || !s.wrote(site.written()) {
			t.Errorf("cut behind change %d (early: %v): ended with %s, want %s; wrote\n%q, want\n%q", k, early, end, s.want, site.written(), s.writes)
		}
	})
	return sent, whole
}

// The report goes out by HTTP and into a database: real ones, in real time.
func TestCrashMatrixReport(t *testing.T) {
	t.Parallel()
	cfg := demoConfig(t)
	k := uint64(1)
	for ; ; k++ {
		var mu sync.Mutex
		keys := map[string]bool{}
		mes := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			keys[r.Header.Get("Idempotency-Key")] = true
		}))
		s := scenario{workflow: "bottling.report", inputs: value.NewMap("batch_no", int64(7), "bottles", int64(12), "url", mes.URL)}
		dir, site, c := t.TempDir(), &site{at: time.Now()}, newCut(k, false)
		end := s.life(t, dir, cfg, site, c)
		whole := c.last.Load() < k
		if end == "" {
			end = s.life(t, dir, cfg, site, newCut(0, false))
		}
		mes.Close()
		if want := `SUCCESS COMPLETE {"reported":true,"waiting":0}`; end != want || len(keys) != 1 || rows(t, dir) != "7 12 1;" {
			t.Errorf("cut behind change %d: ended with %s, %d reports, rows %s", k, end, len(keys), rows(t, dir))
		}
		if whole {
			break
		}
	}
	t.Logf("crash matrix: cut behind each of %d changes of report_to_mes", k-1)
}

func rows(t *testing.T, dir string) (out string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "plant.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.Query("SELECT batch_no, bottles, reported FROM batches")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	for found.Next() {
		var no, bottles, reported int
		if err := found.Scan(&no, &bottles, &reported); err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%d %d %d;", no, bottles, reported)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
