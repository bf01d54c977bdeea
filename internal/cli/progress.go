package cli

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"holdfast/engine"
	"holdfast/engine/isa88"
	"holdfast/engine/value"
)

// progress shows how a run gets on: a line an entry, or on a terminal one line
// with a bar that is drawn anew, where the workflow gives numbers.
type progress struct {
	out      io.Writer
	terminal bool
	drawn    bool  // a bar stands on the last line
	failed   error // of the first write that failed
}

// barWidth is the number of letters of a bar.
const barWidth = 24

func (p *progress) write(s string) {
	if p.failed == nil {
		_, p.failed = io.WriteString(p.out, s)
	}
}

// entry shows one item of the run's log.
func (p *progress) entry(e engine.LogEntry) {
	msg, done, of, counted := progressOf(e.Value)
	switch {
	case counted && p.terminal:
		full := int(math.Round(barWidth * min(max(done/of, 0), 1)))
		bar := strings.Repeat("#", full) + strings.Repeat(".", barWidth-full)
		p.write(fmt.Sprintf("\r[%s] %s/%s  %s\x1b[K", bar, count(done), count(of), short(msg, 48)))
		p.drawn = true
	case counted && !strings.Contains(msg, "/"):
		p.line(fmt.Sprintf("%s (%s/%s)", msg, count(done), count(of)))
	default:
		p.line(msg)
	}
}

// state shows what has changed about the run since last, which is nil at first.
func (p *progress) state(r engine.RunInfo, last *engine.RunInfo) {
	news := !plain(r.State) // at first: it may be HELD already, and then nothing more comes
	if last != nil {
		news = r.State != last.State && !(plain(r.State) && plain(last.State)) || r.Held != nil && last.Held == nil
	}
	if news && !r.Status.Ended() {
		line := string(r.State)
		if w := r.Held; w != nil && w.Command != "" {
			line += by(w.Actor) + because(w.Reason)
		}
		p.line(line)
	}
	if r.InDoubt != nil && (last == nil || last.InDoubt == nil) {
		p.line(strings.TrimRight(doubtText(r), "\n"))
	}
}

// plain reports whether a run in this state is just on its way, which is no news.
func plain(s isa88.State) bool {
	return s == isa88.Idle || s == isa88.Starting || s == isa88.Running
}

// line writes a line, below a bar that stands there.
func (p *progress) line(s string) {
	p.close()
	p.write(s + "\n")
}

// close ends the line of a bar.
func (p *progress) close() {
	if p.drawn {
		p.drawn = false
		p.write("\n")
	}
}

// ratio finds "3/20" in a message.
const ratio = `(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)`

// progressOf takes a log entry apart: its message, and how much is done of how
// much, from extra's done and of, else from the first "3/20" in the message.
func progressOf(r value.Raw) (msg string, done, of float64, counted bool) {
	v, err := value.Decode(r)
	m, ok := v.(*value.Map)
	if err != nil || !ok {
		return text(r), 0, 0, false
	}
	content, ok := m.Get("message")
	if !ok {
		return text(r), 0, 0, false
	}
	if msg, ok = content.(string); !ok {
		b, err := value.Shown(content)
		if err != nil {
			return text(r), 0, 0, false
		}
		msg = string(b)
	}
	extra, _ := m.Get("extra")
	if x, ok := extra.(*value.Map); ok {
		a, aok := x.Get("done")
		b, bok := x.Get("of")
		done, aok = number(a, aok)
		of, bok = number(b, bok)
		if aok && bok && of > 0 {
			return msg, done, of, true
		}
	}
	found := regexp.MustCompile(ratio).FindStringSubmatch(msg)
	if found == nil {
		return msg, 0, 0, false
	}
	done, errDone := strconv.ParseFloat(found[1], 64)
	of, errOf := strconv.ParseFloat(found[2], 64)
	return msg, done, of, errDone == nil && errOf == nil && of > 0
}

func number(v any, ok bool) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), ok
	case float64:
		return v, ok && !math.IsNaN(v) && !math.IsInf(v, 0)
	}
	return 0, false
}

// count shows a number without decimals that it has not.
func count(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
