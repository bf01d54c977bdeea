package modbus

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeLine is a line on which a byte comes at each of some times.
type fakeLine struct {
	bytes    []time.Time
	deadline time.Time
	closed   bool
}

func (l *fakeLine) SetReadDeadline(t time.Time) error { l.deadline = t; return nil }
func (l *fakeLine) Close() error                      { l.closed = true; return nil }

// Read waits as a file does: once its deadline has passed it does not look.
func (l *fakeLine) Read(b []byte) (int, error) {
	if len(l.bytes) == 0 || !l.bytes[0].Before(l.deadline) {
		<-time.After(time.Until(l.deadline))
		return 0, os.ErrDeadlineExceeded
	}
	<-time.After(time.Until(l.bytes[0]))
	l.bytes = l.bytes[1:]
	return 1, nil
}

// TestListen looks at when a line counts as silent: when late answers can come
// for 5 s, and a request takes 1 s at most.
func TestListen(t *testing.T) {
	t.Parallel()
	const look = time.Millisecond // the last one
	every := func(step, end time.Duration) (at []time.Duration) {
		for d := step; d <= end; d += step {
			at = append(at, d)
		}
		return at
	}
	for _, c := range []struct {
		what   string
		asked  time.Duration // how long before
		bytes  []time.Duration
		want   time.Duration
		silent bool
	}{
		{"nothing comes", 0, nil, 5*time.Second + look, true},
		{"the request was sent some time ago", 3 * time.Second, nil, 2*time.Second + look, true},
		{"the request was sent long ago", time.Hour, nil, time.Second + look, true},
		{"an answer", 0, []time.Duration{500 * time.Millisecond}, 5*time.Second + look, true},
		{"the latest answer", 0, []time.Duration{4900 * time.Millisecond}, 5900*time.Millisecond + look, true},
		{"an answer that the deadline hid", 0, []time.Duration{5 * time.Second}, 6*time.Second + look, true},
		{"an answer in pieces", time.Hour, every(900*time.Millisecond, 4*time.Second), 4600*time.Millisecond + look, true},
		{"somebody talks without end", 0, every(700*time.Millisecond, time.Minute), 10500 * time.Millisecond, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			d := &Driver{cfg: Config{Timeout: time.Second, LateAnswer: 5 * time.Second}}
			d.restUntil = begin.Add(d.cfg.LateAnswer - c.asked)
			line := &fakeLine{}
			for _, at := range c.bytes {
				line.bytes = append(line.bytes, begin.Add(at))
			}
			heard, err := d.listen(t.Context(), line)
			if took := time.Since(begin); took != c.want || heard != len(c.bytes)-len(line.bytes) || !line.closed {
				t.Errorf("%s: the line was silent after %v, and %d bytes; want %v", c.what, took, heard, c.want)
			}
			if silent := err == nil; silent != c.silent || !silent && !strings.HasPrefix(err.Error(), "the line does not fall silent, 15 bytes came unasked in 10.5s") {
				t.Errorf("%s: %v", c.what, err)
			}
		})
	}
}
