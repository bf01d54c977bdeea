package journal

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// A script goes when no run names it, live or ended, and not while it may be on
// its way to one.
func TestScriptsAreCollected(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 6))
	j := open(t, Options{MoveWithin: time.Hour})
	for _, hash := range []string{"live", "waiting", "ended", "gone", "none", "gone too"} {
		if err := j.PutScript(hash, []byte("source of "+hash)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(number uint64, script string, ended bool) {
		c := ten(rng, number)
		if c.Start.Script = script; !ended {
			c.End = nil
		}
		commit(t, j, c)
	}
	run(1, "live", false)
	run(2, "ended", true)
	run(3, "gone", true)
	run(4, "gone too", true)
	moved(t, j)
	run(5, "waiting", true)
	if n, err := j.Delete(t.Context(), 3); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	have := func(want ...string) {
		t.Helper()
		var got []string
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
		if err := j.live.Scan([]byte{tableScript}, []byte{tableScript + 1}, func(key, _ []byte) bool {
			got = append(got, string(key[1:]))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("scripts are %q, want %q", got, want)
		}
	}
	have("ended", "gone", "gone too", "live", "none", "waiting") // all of them were put just now
	j = reopen(t, j, Options{MoveWithin: time.Hour})
	j.mover.kick()
	for j.scripts.has("none") {
		<-time.After(time.Millisecond)
	}
	have("ended", "gone too", "live", "waiting")
	if err := j.PutScript("none", []byte("again")); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Delete(t.Context(), 4); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for j.scripts.has("gone too") {
		<-time.After(time.Millisecond)
	}
	have("ended", "live", "none", "waiting")
	if src, err := j.Script(t.Context(), "none"); string(src) != "again" || err != nil {
		t.Errorf("got %q, %v", src, err)
	}
}
