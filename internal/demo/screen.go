package demo

import (
	"fmt"
	"io"
	"strings"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
)

// screen is where the user reads. The first failure to write is kept.
type screen struct {
	out      io.Writer
	terminal bool
	drawn    bool // a bar stands on the last line
	failed   error
}

func (s *screen) write(text string) {
	if s.failed == nil {
		_, s.failed = io.WriteString(s.out, text)
	}
}

// line writes a line, below a bar that stands there.
func (s *screen) line(text string) {
	if s.drawn {
		s.drawn = false
		s.write("\n")
	}
	s.write(text + "\n")
}

// progress is one entry of a run's log.
type progress struct {
	message  string
	done, of int64 // of is 0 where the entry has no numbers
}

// progressOf takes a log entry apart: {ts, message, extra}, where extra is
// {done, of} if the workflow gives numbers.
func progressOf(r value.Raw) (p progress) {
	v, err := value.Decode(r)
	if err != nil {
		return progress{message: "an entry that cannot be read: " + err.Error()}
	}
	m, ok := v.(*value.Map)
	if !ok {
		return progress{message: fmt.Sprint(v)}
	}
	message, _ := m.Get("message")
	p.message = fmt.Sprint(message)
	extra, _ := m.Get("extra")
	if x, ok := extra.(*value.Map); ok {
		done, _ := x.Get("done")
		of, _ := x.Get("of")
		a, aok := done.(int64)
		b, bok := of.(int64)
		if aok && bok && b > 0 {
			p.done, p.of = min(max(a, 0), b), b
		}
	}
	return p
}

const barWidth = 30

// progress shows one entry: as a bar on a terminal, else as a line.
func (s *screen) progress(p progress) {
	switch {
	case p.of == 0:
		s.line(p.message)
	case s.terminal:
		full := int(barWidth * p.done / p.of)
		s.write(fmt.Sprintf("\r[%s%s] %d/%d %s\x1b[K", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), p.done, p.of, p.message))
		s.drawn = true
	default:
		s.line(fmt.Sprintf("%s: %d/%d", p.message, p.done, p.of))
	}
}

// change shows what is new about a run.
func (s *screen) change(last, now *engine.RunInfo) {
	switch {
	case now.Status.Ended():
		text := fmt.Sprintf("%s, %s", now.Status, now.State)
		if now.Error != nil {
			text += ": " + now.Error.Message
		} else if b, err := now.Result.MarshalJSON(); err == nil {
			text += " " + string(b)
		}
		s.line(text)
	case now.State != last.State && (last.ID != "" && last.State != isa88.Starting || now.State != isa88.Running):
		s.line(string(now.State))
	}
	if q := now.InDoubt; q != nil && last.InDoubt == nil {
		s.line(fmt.Sprintf("In doubt: %s wrote %s to %s, and was interrupted. %s. Look at the plant, then: resolve %s done, or retry, or fail",
			q.Step, text(q.Target), q.Tag, q.Why, now.ID))
	}
}

func text(r value.Raw) string {
	b, err := r.MarshalJSON()
	if err != nil {
		return err.Error()
	}
	return string(b)
}
