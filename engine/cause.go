package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// causes returns the alarms for all that needs a human now, with the time since
// when it is so. Runs that are open have not come to where that shows: what was
// raised for them stays.
func (e *Engine) causes() (out []Alarm, open map[string]bool) {
	out = e.journalCauses()
	e.mu.Lock()
	live := slices.Collect(maps.Values(e.runs))
	for _, f := range e.notLoaded {
		out = append(out, Alarm{ID: "file:" + shortHash(f), Severity: Warning, Message: "workflow file not loaded: " + f})
	}
	e.mu.Unlock()
	open = map[string]bool{}
	for _, r := range live {
		r.mu.Lock()
		id := r.head.id
		switch {
		case r.doubt != nil && r.doubt.Step == "":
			out = append(out, Alarm{ID: "doubt:" + id, Run: id, Severity: Critical, Message: "HELD, in doubt: " + r.doubt.Why})
		case r.doubt != nil:
			out = append(out, Alarm{ID: fmt.Sprintf("doubt:%s:%d", id, r.doubt.place), Run: id, Severity: Critical,
				Message: fmt.Sprintf("HELD, in doubt: step %s: %s", r.doubt.Step, r.doubt.Why)})
		case r.held && r.err != nil:
			out = append(out, Alarm{ID: "held:" + id, Run: id, Severity: Critical, Message: "HELD: " + r.err.Message})
		case !r.caughtUp:
			open[id] = true
		}
		r.mu.Unlock()
	}
	for _, o := range e.Obligations() {
		out = append(out, Alarm{ID: "owed:" + o.ID, Run: o.Run, Severity: Critical, Since: o.Since, Message: fmt.Sprintf("safe state of %s not reached: %s", o.Tag, o.Why)})
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range out {
		if out[i].Since.IsZero() {
			out[i].Since = now
		}
	}
	return out, open
}

// needsHuman reports whether the live run is itself the cause of an alarm.
func (r *Run) needsHuman() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.doubt != nil || r.err != nil
}
