package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/simonvetter/modbus"
)

// An answer in RTU framing does not say which request it answers. One that
// comes late is taken for the answer to the next request, that one's for the
// one after it, and so on. So after a request without a proper answer the line
// rests: nothing is asked until no answer can come any more, and what does come
// is thrown away. The same holds at the start: nobody knows what was asked by a
// process that was killed.

// isRTU reports whether answers of a transport do not say what they answer.
func isRTU(url string) bool { return strings.HasPrefix(url, "rtu") }

// handover is left to a serial device server to see that the connection that
// listened has ended: many take one only.
const handover = 100 * time.Millisecond

// lose closes the link after a request that was sent at a time and failed.
func (d *Driver) lose(ctx context.Context, sent time.Time, err error) {
	d.drop()
	if !d.rtu || notSent(err) {
		return
	}
	d.unsure, d.restUntil = true, sent.Add(d.cfg.LateAnswer)
	d.cfg.Log.InfoContext(ctx, "line rests, its answer may come late", "url", d.cfg.URL,
		"cause", err, "for", time.Until(d.restUntil).Round(time.Millisecond))
}

// resting is what the error of a request says of the line's rest.
func (d *Driver) resting() string {
	if !d.unsure {
		return ""
	}
	return fmt.Sprintf("; the answer may come late, nothing is asked for %v", d.cfg.LateAnswer)
}

// rest waits until the line may be asked, and throws away what comes. An error
// says that ctx ended, that the line cannot be opened, or that it does not fall silent.
func (d *Driver) rest(ctx context.Context) error {
	if !d.unsure {
		return nil
	}
	line, err := openEar(ctx, d.conf)
	switch {
	case err != nil:
		return err
	case line == nil:
		err = sleep(ctx, time.Until(d.restUntil))
	default:
		var heard int
		if heard, err = d.listen(ctx, line); heard > 0 {
			d.cfg.Log.InfoContext(ctx, "threw away what came unasked", "url", d.cfg.URL, "bytes", heard)
		}
	}
	d.unsure = err != nil
	return err
}

// ear is a line that is only listened to.
type ear interface {
	io.ReadCloser
	SetReadDeadline(time.Time) error
}

// openEar opens a line to listen. It is nil for UDP, where nobody talks to a
// socket that has sent nothing.
func openEar(ctx context.Context, conf modbus.ClientConfiguration) (ear, error) {
	scheme, place, _ := strings.Cut(conf.URL, "://")
	switch scheme {
	case "rtu":
		return openPort(place, conf)
	case "rtuovertcp":
		dialer := net.Dialer{Timeout: connectLimit}
		return dialer.DialContext(ctx, "tcp", place)
	}
	return nil, nil
}

// listen throws away what comes, until the line may be asked and has been
// silent for the timeout of a request. It gives up on a line that is not silent
// LateAnswer after it might have been. It closes the line.
func (d *Driver) listen(ctx context.Context, line ear) (heard int, err error) {
	defer line.Close()
	stop := context.AfterFunc(ctx, func() { _ = line.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	began := time.Now()
	quiet := later(d.restUntil, began.Add(d.cfg.Timeout))
	limit := quiet.Add(d.cfg.LateAnswer)
	buf := make([]byte, 1024)
	for last := false; ; {
		deadline := quiet
		if last {
			// What came just as the deadline passed still lies there.
			deadline = time.Now().Add(time.Millisecond)
		}
		if err := line.SetReadDeadline(deadline); err != nil {
			return heard, err
		}
		if err := context.Cause(ctx); err != nil { // its deadline may have been ours just now
			return heard, err
		}
		n, err := line.Read(buf)
		now := time.Now()
		switch heard += n; {
		case n > 0 && now.After(limit):
			return heard, fmt.Errorf("the line does not fall silent, %d bytes came unasked in %v: another client, or other line settings", heard, now.Sub(began).Round(time.Millisecond))
		case n > 0:
			quiet, last = later(quiet, now.Add(d.cfg.Timeout)), false
		case ctx.Err() != nil:
			return heard, context.Cause(ctx)
		case errors.Is(err, os.ErrDeadlineExceeded) && last:
			_ = line.Close()
			return heard, d.handOver(ctx, line)
		case errors.Is(err, os.ErrDeadlineExceeded):
			last = true
		default:
			return heard, fmt.Errorf("cannot listen: %w", err)
		}
	}
}

// handOver waits until the other end of a connection has seen its end.
func (d *Driver) handOver(ctx context.Context, line ear) error {
	if _, isConn := line.(net.Conn); !isConn {
		return nil
	}
	return sleep(ctx, min(handover, d.cfg.Timeout))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sleep waits for a time. The error says that ctx ended first.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
