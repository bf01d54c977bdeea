package engine

import (
	"time"

	"holdfast/engine/isa88"
	"holdfast/engine/value"
	"holdfast/journal"
)

// fate is what becomes of a command.
func (m *message) fate(taken bool, fate string, state isa88.State) Fate {
	return Fate{Message: m.num, Command: string(m.word), Taken: taken, Fate: fate, State: state,
		Actor: m.actor, Reason: m.reason, GivenAt: m.at.UTC(), DecidedAt: time.Now().UTC()}
}

// fields are those of a fate in a kindReceived.
func (f *Fate) fields() []any {
	return []any{f.Message, f.Command, f.Taken, f.Fate, string(f.State), f.Actor, f.Reason, f.GivenAt.UnixMilli()}
}

// fateNote makes a record of what the engine has decided on a command.
func (r *Run) fateNote(f Fate, m message) []journal.Record {
	return r.note("command", f.Message, f.Command, f.Taken, f.Fate, string(f.State), f.Actor, f.Reason, m.uuid, f.GivenAt.UnixMilli())
}

// handedOver takes up what the script has asked for. Of one that names its state
// the state follows the command that it was given, until it names one again. The
// caller holds r.mu.
func (r *Run) handedOver(fates []Fate, named bool) {
	for _, f := range fates {
		if next := isa88.Command(f.Command).Next(r.state); named && f.Taken && f.Command != "" && r.state != isa88.Aborting && !r.state.Terminal() {
			r.state = next
		}
	}
	r.decided(fates)
}

// fatesOf returns the fates that a kindReceived or a kindNote holds.
func fatesOf(rec *journal.Record) []Fate {
	v, err := value.Decode(rec.Data)
	l, ok := v.([]any)
	if err != nil || !ok {
		return nil
	}
	switch {
	case rec.Kind == kindNote && len(l) > 5 && l[0] == "command":
		given := any(nil)
		if len(l) > 9 {
			given = l[9]
		}
		actor, reason := any(nil), any(nil)
		if len(l) > 7 {
			actor, reason = l[6], l[7]
		}
		return []Fate{fateIn(rec, append(l[1:6:6], actor, reason, given))}
	case rec.Kind == kindReceived && len(l) > 4:
		told, _ := l[4].([]any)
		var out []Fate
		for _, t := range told {
			if f, ok := t.([]any); ok {
				out = append(out, fateIn(rec, f))
			}
		}
		return out
	}
	return nil
}

// fateIn reads the fields of a fate.
func fateIn(rec *journal.Record, f []any) (out Fate) {
	if len(f) < 5 {
		return out
	}
	num, _ := f[0].(int64)
	out.Message = uint64(num)
	out.Command, _ = f[1].(string)
	out.Taken, _ = f[2].(bool)
	out.Fate, _ = f[3].(string)
	state, _ := f[4].(string)
	out.State, out.DecidedAt = isa88.State(state), rec.Time.UTC()
	if len(f) > 7 {
		out.Actor, _ = f[5].(string)
		out.Reason, _ = f[6].(string)
		given, _ := f[7].(int64)
		out.GivenAt = time.UnixMilli(given).UTC()
	}
	return out
}
