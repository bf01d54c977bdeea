package script

import (
	"sync"
	"testing"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// on_interrupted counts for a step that is made of a built-in one: what was cut
// short is sent again, asked about, or fails, as its option says.
func TestInterruptedStepOfBuiltIn(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string]struct {
		state isa88.State
		sent  int
	}{"retry": {isa88.Complete, 2}, "hold": {isa88.Held, 1}, "fail": {isa88.Error, 1}} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"w.star": `
post = step(name="post", options={"on_interrupted": "` + policy + `"})(tags.write)

@workflow
def w():
    return post("line/speed", 5)
`}
			dir, p := t.TempDir(), newPlant()
			f := p.front(t, Options{})
			cut := make(chan struct{})
			once := sync.OnceFunc(func() { close(cut) })
			b := boot(t, dir, f, journal.Options{BeforeAppend: func(_ uint64, c journal.Change) error {
				for _, r := range c.Records {
					if r.Seq == 0 && r.Kind == 2 { // its outcome
						once()
						return journaltest.ErrCrash
					}
				}
				return nil
			}}, mustLoad(t, f, files)...)
			id := b.start("w")
			<-cut
			b.shutdown()
			f = p.front(t, Options{})
			b = boot(t, dir, f, journal.Options{}, mustLoad(t, f, files)...)
			got := b.await(id, func(i engine.RunInfo) bool { return i.Status.Ended() || i.State == isa88.Held })
			if got.State != want.state || p.count("tags.write") != want.sent {
				t.Errorf("run is %+v, %v, sent %d times", got, got.Error, p.count("tags.write"))
			}
			if asked := got.InDoubt != nil && got.InDoubt.Step == "post"; asked != (policy == "hold") {
				t.Errorf("question is %+v", got.InDoubt)
			}
		})
	}
}
