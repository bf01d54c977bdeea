package record

import (
	"fmt"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Begun says that a step, or a long receive, has begun:
// [name, args, effect, attempt, prepared].
type Begun struct {
	Name     string
	Args     value.Raw // without those that are as the step's defaults; of a receive its topic
	Effect   bool      // an effect is at work; false while none is
	Attempt  int       // from 1
	Prepared value.Raw // what was found before the effect

	callAt uint32 // Seq of the record that holds name and args in full
}

// Begun makes w the draft of a Begun.
func (w *Writer) Begun(r *Begun) {
	w.begin(KindBegun)
	w.field(value.AppendString(w.b, r.Name))
	w.field(appendRaw(w.b, r.Args))
	w.field(value.AppendBool(w.b, r.Effect))
	w.field(value.AppendInt(w.b, int64(r.Attempt)))
	w.field(appendRaw(w.b, r.Prepared))
	w.end()
}

// Begun reads a Begun. An error is one of the record.
func (rd *Reader) Begun(rec *journal.Record) (Begun, error) {
	o, err := rd.open(rec, KindBegun)
	if err != nil {
		return Begun{}, err
	}
	out := Begun{Args: o.fs[1], Prepared: o.fs[4], callAt: o.callAt}
	if out.Name, err = rd.name(o.fs[0]); err != nil {
		return out, unreadable(rec, err)
	}
	if out.Effect, err = boolOf(o.fs[2]); err != nil {
		return out, unreadable(rec, fmt.Errorf("whether it is an effect: %w", err))
	}
	attempt, err := intOf(o.fs[3])
	if err != nil {
		return out, unreadable(rec, fmt.Errorf("its attempt: %w", err))
	}
	out.Attempt = max(1, int(attempt))
	return out, nil
}

// ReplayedBegun takes up a Begun that the program has come to again.
func (w *Writer) ReplayedBegun(r *Begun) {
	w.b = append(value.AppendString(w.b[:0], r.Name), r.Args...)
	w.replayed(KindBegun, r.callAt)
}
