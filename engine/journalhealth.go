package engine

import (
	"fmt"
	"time"
)

// alarmLosses raises an alarm for each thing that the journal has found damaged
// or lost since it was asked last: at open, and while it runs.
func (e *Engine) alarmLosses() {
	found := e.journal.Report().Sentences
	e.mu.Lock()
	fresh := found[min(e.lossesAlarmed, len(found)):]
	e.lossesAlarmed = len(found)
	e.mu.Unlock()
	for _, s := range fresh {
		e.alarmFor("loss", "", "journal: "+s)
	}
}

// journalCauses tells of what ails the journal now.
func (e *Engine) journalCauses() []Alarm {
	var out []Alarm
	if full := e.journal.Room(); full != nil {
		out = append(out, Alarm{ID: "journal-room", Severity: Critical, Since: full.Since.UTC(),
			Message: fmt.Sprintf("the journal has no room: %v: no new effects until there is; HOLD, STOP, ABORT are recorded", full.Cause)})
	}
	err := e.journal.Stats().MoveError
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.unmovedSince = time.Time{}
		return out
	case e.unmovedSince.IsZero():
		e.unmovedSince = time.Now().UTC()
	}
	return append(out, Alarm{ID: "history", Severity: Warning, Since: e.unmovedSince, Message: fmt.Sprintf("runs that have ended stay among the live ones: %v", err)})
}

// journalRoom says why the journal has no room; "" if it has.
func (e *Engine) journalRoom() string {
	full := e.journal.Room()
	if full == nil {
		return ""
	}
	return full.Cause.Error()
}
