package record

import (
	"fmt"
	"strings"

	"holdfast/engine/value"
	"holdfast/journal"
)

// Describe shows, in a message, what one of the records of a branch tells of.
func Describe(recs []journal.Record, rec *journal.Record) string {
	rd := Reader{Records: recs}
	unreadable := func() string { return fmt.Sprintf("an unreadable record of kind %d", rec.Kind) }
	switch rec.Kind {
	case KindBegun:
		if b, err := rd.Begun(rec); err == nil {
			return ShowCall(b.Name, b.Args)
		}
		return unreadable()
	case KindDone:
		if d, err := rd.Done(rec); err == nil {
			return ShowCall(d.Name, d.Args)
		}
		return unreadable()
	case KindReceived:
		if r, err := rd.Received(rec); err == nil {
			return ShowReceive(r.Call, r.Topic)
		}
		return unreadable()
	}
	key, _, err := pairOf(rec)
	switch {
	case err != nil:
		return unreadable()
	case rec.Kind == KindValue:
		return ShowValue(key)
	case rec.Kind == KindEvent || rec.Kind == KindStream || rec.Kind == KindProgress:
		return (&Told{Kind: rec.Kind, Key: key}).Show()
	}
	return fmt.Sprintf("a record of kind %d", rec.Kind)
}

// ShowCall shows a step's name and arguments, shortened.
func ShowCall(name string, args value.Raw) string {
	v, err := value.Decode(args)
	m, ok := v.(*value.Map)
	switch {
	case err == nil && v == nil:
		return name + "()"
	case err != nil || !ok:
		return name + "(…)"
	}
	var b strings.Builder
	b.WriteString(name + "(")
	for i, p := range m.Pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.60s=%s", p.Key, value.Short(p.Value, 60))
	}
	b.WriteString(")")
	return b.String()
}

// ShowReceive shows a receive as a program asks for it.
func ShowReceive(call, topic string) string { return fmt.Sprintf("rt.%s(topic=%q)", call, topic) }

// ShowValue shows how a program asks for a value of the engine's.
func ShowValue(what string) string { return "rt." + what + "()" }

// Show shows how a program tells something, shortened.
func (t *Told) Show() string {
	switch t.Kind {
	case KindEvent:
		return fmt.Sprintf("rt.setEvent(%.60q, …)", t.Key)
	case KindStream:
		return fmt.Sprintf("rt.writeStream(%.60q, …)", t.Key)
	}
	return fmt.Sprintf("rt.progress(%.60q, …)", t.Key)
}
