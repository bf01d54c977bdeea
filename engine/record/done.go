package record

import (
	"fmt"
	"time"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Done says what came of a step:
// [name, args, failure, result, attempts, recovered, took ms].
type Done struct {
	Name      string    // "" behind a Begun of the same place, which has it
	Args      value.Raw // as in Begun; nil behind one
	Failure   *Failure  // nil of a step that has not failed
	Result    value.Raw
	Attempts  int
	Recovered bool // found by evidence, or said by an operator, after an interruption

	// ResolvedBy is the operator who has said that it was done: text in the place
	// of true. "": nobody had to.
	ResolvedBy string

	Took time.Duration // of a step without a Begun; 0 of a short one

	callAt, outcomeAt uint32    // Seq of the records that hold call and outcome in full
	failure           value.Raw // as it was read
}

// Failure is how a step has failed: [type, message, step, attempts, unknown, bug].
type Failure struct {
	Type     string
	Message  string
	Step     string
	Attempts int
	Unknown  bool // the step may have had its effect
	Bug      bool // the program itself is at fault
}

// Done makes w the draft of a Done of the call that d names. Behind a Begun of
// the same place the record leaves the call to that.
func (w *Writer) Done(d *Done, behindBegun bool) {
	w.begin(KindDone)
	w.field(value.AppendString(w.b, d.Name))
	w.field(appendRaw(w.b, d.Args))
	w.field(appendFailure(w.b, d.Failure))
	w.field(appendRaw(w.b, d.Result))
	w.field(value.AppendInt(w.b, int64(d.Attempts)))
	if d.ResolvedBy != "" {
		w.field(value.AppendString(w.b, d.ResolvedBy))
	} else {
		w.field(value.AppendBool(w.b, d.Recovered))
	}
	w.field(value.AppendInt(w.b, d.Took.Milliseconds()))
	w.end()
	w.behind = behindBegun
}

// Done reads a Done. An error is one of the record.
func (rd *Reader) Done(rec *journal.Record) (Done, error) {
	o, err := rd.open(rec, KindDone)
	if err != nil {
		return Done{}, err
	}
	out := Done{Args: o.fs[1], Result: o.fs[3], callAt: o.callAt, outcomeAt: o.outcomeAt, failure: o.fs[2]}
	if !o.fs[0].IsNil() {
		if out.Name, err = rd.name(o.fs[0]); err != nil {
			return out, unreadable(rec, err)
		}
	}
	if out.Failure, err = failureOf(o.fs[2]); err != nil {
		return out, unreadable(rec, fmt.Errorf("its failure: %w", err))
	}
	attempts, err := intOf(o.fs[4])
	if err != nil {
		return out, unreadable(rec, fmt.Errorf("its attempts: %w", err))
	}
	if out.ResolvedBy, err = o.fs[5].Text(); err == nil {
		out.Recovered = true
	} else if out.Recovered, err = boolOf(o.fs[5]); err != nil {
		return out, unreadable(rec, fmt.Errorf("whether it was recovered: %w", err))
	}
	took, err := intOf(o.fs[6])
	if err != nil {
		return out, unreadable(rec, fmt.Errorf("how long it took: %w", err))
	}
	out.Attempts, out.Took = int(attempts), time.Duration(took)*time.Millisecond
	return out, nil
}

// ReplayedDone takes up a Done that the program has come to again; one behind a
// Begun follows that.
func (w *Writer) ReplayedDone(d *Done) {
	if d.Name != "" {
		w.b = append(value.AppendString(w.b[:0], d.Name), d.Args...)
		w.replayed(KindDone, d.callAt)
	}
	if w.index >= 0 && len(d.failure)+len(d.Result) <= knownBytes/4 { // else it is not kept, and the draft would stay that large
		w.b = append(append(w.b[:0], d.failure...), d.Result...)
		w.known.setOutcome(w.index, w.b, d.outcomeAt)
	}
}

// Read makes w the draft of a Done or Received that is in the journal, so that
// an equal one can join it. It reports whether that can be: the record can be
// read, and holds its call itself.
func (w *Writer) Read(rd *Reader, rec *journal.Record) bool {
	if rec.Kind == KindReceived {
		r, err := rd.Received(rec)
		if err == nil {
			w.Received(&r)
		}
		return err == nil
	}
	d, err := rd.Done(rec)
	if err != nil || d.Name == "" {
		return false
	}
	w.Done(&d, false)
	return true
}

func appendFailure(b []byte, f *Failure) []byte {
	if f == nil {
		return value.AppendNil(b)
	}
	return fields(b, f.Type, f.Message, f.Step, f.Attempts, f.Unknown, f.Bug)
}

func failureOf(r value.Raw) (*Failure, error) {
	if r.IsNil() {
		return nil, nil
	}
	fs, err := listOf(r, 6)
	if err != nil {
		return nil, err
	}
	f := &Failure{Type: textAt(fs, 0), Message: textAt(fs, 1), Step: textAt(fs, 2)}
	f.Attempts = int(intAt(fs, 3))
	f.Unknown, _ = fs[4].(bool)
	f.Bug, _ = fs[5].(bool)
	return f, nil
}
