package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"holdfast/engine/record"
	"holdfast/engine/value"
	"holdfast/journal"
)

// Alarm is what an operator has to know of. It is on record, and goes by itself
// when its cause is gone; a loss, which nothing undoes, goes when it is
// acknowledged.
type Alarm struct {
	ID             string     `json:"id"`
	Run            string     `json:"run"` // "": it is about no run
	Message        string     `json:"message"`
	Severity       Severity   `json:"severity"`
	Since          time.Time  `json:"since"`
	AcknowledgedBy string     `json:"acknowledged_by"` // "": nobody yet
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
}

// Severity says how soon somebody has to look.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // the plant may not be as it should, or a run cannot go on
	Warning  Severity = "warning"
)

// alarmTable is the engine's table of alarms in the journal.
const alarmTable = "alarm"

// maxAlarms bounds how many are shown; each is in the log as well.
const maxAlarms = 1000

// alarm is one that is raised.
type alarm struct {
	Alarm
	stays bool // until it is acknowledged: it tells of something that has happened, not of a state
	fresh bool // not on disk as it is
}

// alarms are all that there are.
type alarms struct {
	pass sync.Mutex    // held by who compares them with what is so; taken before mu
	wake chan struct{} // one slot: something about their causes has changed

	mu   sync.Mutex // guards what follows; never held during I/O
	byID map[string]*alarm
}

func (a *alarm) entry() journal.Entry {
	var at int64
	if a.AcknowledgedAt != nil {
		at = a.AcknowledgedAt.UnixMilli()
	}
	return journal.Entry{Table: alarmTable, Key: a.ID,
		Value: record.Fields(nil, a.Run, short(a.Message), string(a.Severity), a.Since.UnixMilli(), a.AcknowledgedBy, at, a.stays)}
}

func decodeAlarm(key string, data []byte) (*alarm, error) {
	v, err := value.Decode(data)
	l, ok := v.([]any)
	if err != nil || !ok || len(l) < 7 {
		return nil, fmt.Errorf("alarm %q cannot be read: %w", key, cmp.Or(err, errors.New("it is not of 7 fields")))
	}
	a := &alarm{Alarm: Alarm{ID: key}}
	severity, _ := l[2].(string)
	since, _ := l[3].(int64)
	at, _ := l[5].(int64)
	a.Run, _ = l[0].(string)
	a.Message, _ = l[1].(string)
	a.AcknowledgedBy, _ = l[4].(string)
	a.stays, _ = l[6].(bool)
	a.Severity, a.Since = Severity(severity), time.UnixMilli(since).UTC()
	if at != 0 {
		t := time.UnixMilli(at).UTC()
		a.AcknowledgedAt = &t
	}
	return a, nil
}

// loadAlarms takes up those of the life before. One that cannot be read is left
// out: its cause raises it again.
func (e *Engine) loadAlarms(ctx context.Context) error {
	err := e.journal.State(ctx, alarmTable, "", func(key string, data []byte) bool {
		a, err := decodeAlarm(key, data)
		if err != nil {
			e.cfg.Log.Error("an alarm is lost", "id", key, "error", err)
			return true
		}
		e.alarms.mu.Lock()
		defer e.alarms.mu.Unlock()
		e.alarms.byID[key] = a
		return true
	})
	if err != nil && ctx.Err() == nil {
		e.cfg.Log.Error("alarms may be lost", "error", err)
		return nil
	}
	return err
}

// Alarms lists what needs a human, oldest first.
func (e *Engine) Alarms() []Alarm {
	e.compareAlarms()
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	out := make([]Alarm, 0, len(e.alarms.byID))
	for _, a := range e.alarms.byID {
		out = append(out, a.Alarm)
	}
	slices.SortFunc(out, func(a, b Alarm) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Message, b.Message), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(len(out), maxAlarms)]
}

// Acknowledge says that somebody knows of an alarm. It is on disk when
// Acknowledge returns. Who was first, stays.
func (e *Engine) Acknowledge(_ context.Context, id, actor string) (Alarm, error) {
	e.compareAlarms()
	e.alarms.pass.Lock()
	defer e.alarms.pass.Unlock()
	e.alarms.mu.Lock()
	a := e.alarms.byID[id]
	if a == nil {
		e.alarms.mu.Unlock()
		return Alarm{}, problem(NotFound, "there is no alarm %s", id).hint("holdfast alarms lists them")
	}
	next := *a
	if next.AcknowledgedAt == nil {
		now := time.Now().UTC().Truncate(time.Millisecond)
		next.AcknowledgedBy, next.AcknowledgedAt = cmp.Or(actor, "an operator"), &now
	}
	e.alarms.mu.Unlock()
	entry := next.entry()
	if next.stays {
		entry.Value = nil
	}
	w, done := e.writer()
	defer done()
	if err := w.Commit(journal.Change{State: []journal.Entry{entry}, Essential: true}); err != nil {
		return Alarm{}, problem(Unavailable, "cannot acknowledge %s: %v", id, err)
	}
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	if next.stays {
		delete(e.alarms.byID, id)
	} else {
		e.alarms.byID[id] = &next
	}
	e.cfg.Log.Info("alarm acknowledged", "id", id, "actor", next.AcknowledgedBy)
	return next.Alarm, nil
}

// alarmFor raises an alarm that stays until it is acknowledged.
func (e *Engine) alarmFor(kind, run, message string) {
	a := &alarm{stays: true, fresh: true, Alarm: Alarm{ID: kind + ":" + shortHash(message), Run: run, Message: message, Severity: Critical,
		Since: time.Now().UTC().Truncate(time.Millisecond)}}
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	if _, told := e.alarms.byID[a.ID]; !told {
		e.alarms.byID[a.ID] = a
		e.logAlarm(a)
	}
	e.nudgeAlarms()
}

func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum[:4])
}

func (e *Engine) logAlarm(a *alarm) {
	e.cfg.Log.Error("alarm", "message", a.Message, "run", a.Run, "id", a.ID)
}

// nudgeAlarms lets the alarms be compared with what is so.
func (e *Engine) nudgeAlarms() {
	select {
	case e.alarms.wake <- struct{}{}:
	default:
	}
}

// nudgeIfAlarmed is nudgeAlarms where a run has any.
func (e *Engine) nudgeIfAlarmed(run string) {
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	for _, a := range e.alarms.byID {
		if a.Run == run {
			e.nudgeAlarms()
			return
		}
	}
}

// keepAlarms puts alarms on record as their causes come and go, until the engine stops.
func (e *Engine) keepAlarms() {
	for {
		e.compareAlarms()
		select {
		case <-e.alarms.wake:
		case <-e.base.Done():
			return
		}
	}
}

// compareAlarms raises what is so and was not, and clears what is so no more.
func (e *Engine) compareAlarms() {
	e.alarms.pass.Lock()
	defer e.alarms.pass.Unlock()
	e.alarmLosses()
	causes, open := e.causes()
	var c journal.Change
	e.alarms.mu.Lock()
	for _, now := range causes {
		a := e.alarms.byID[now.ID]
		if a == nil {
			a = &alarm{Alarm: now, fresh: true}
			e.alarms.byID[now.ID] = a
			e.logAlarm(a)
		}
		a.Message = now.Message // the newest reason; that is not worth the disk
	}
	for id, a := range e.alarms.byID {
		switch {
		case a.fresh:
			c.State = append(c.State, a.entry())
		case a.stays || open[a.Run] || slices.ContainsFunc(causes, func(now Alarm) bool { return now.ID == id }):
		default:
			delete(e.alarms.byID, id)
			c.State = append(c.State, journal.Entry{Table: alarmTable, Key: id})
			e.cfg.Log.Info("alarm is over", "id", id, "run", a.Run, "message", a.Message)
		}
	}
	e.alarms.mu.Unlock()
	if len(c.State) == 0 {
		return
	}
	c.Essential = true
	w, done := e.writer()
	defer done()
	if err := w.Commit(c); err != nil { // what is fresh is tried again; what is over is found to be so by the next life
		e.cfg.Log.Warn("cannot record alarms", "error", err)
		return
	}
	e.alarms.mu.Lock()
	defer e.alarms.mu.Unlock()
	for _, entry := range c.State {
		if a := e.alarms.byID[entry.Key]; a != nil {
			a.fresh = false
		}
	}
}
