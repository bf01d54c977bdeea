package opcua_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/drivers/opcua"
	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

const badTooManyMonitoredItems tag.StatusCode = 0x80DB0000

// logged is a log that a test can look into.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// about returns the lines with a word, each from its message on.
func (l *logged) about(word string) (lines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if _, msg, ok := strings.Cut(line, "msg="); ok && strings.Contains(msg, word) {
			lines = append(lines, strings.TrimSpace(msg))
		}
	}
	return lines
}

// quick is a configuration that asks again after a short time.
func quick(s *opcuatest.Server, log *logged) opcua.Config {
	cfg := config(s)
	cfg.WatchdogSilence, cfg.Log = time.Second, log.logger()
	return cfg
}

// lately waits until the newest change of an item fits.
func (w *watching) lately(t *testing.T, handle int, what string, fits func(tag.Change) bool) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		w.mu.Lock()
		last, ok := w.last[handle]
		change := w.change
		w.mu.Unlock()
		if ok && fits(last) {
			return
		}
		select {
		case <-change:
		case err := <-w.result:
			t.Fatalf("Subscribe ended: %v", err)
		case <-timer.C:
			t.Fatalf("item %d ends with %+v, want %s", handle, last, what)
		}
	}
}

func isRefused(code tag.StatusCode) func(tag.Change) bool {
	return func(c tag.Change) bool { return c.Unmonitored && c.Sample.Status == code && c.Sample.Value.IsNone() }
}

func isTold(v int64) func(tag.Change) bool {
	return func(c tag.Change) bool { return !c.Unmonitored && is(tag.Int(v))(c.Sample) }
}

// expectLines fails the test unless these are the log's lines about a word.
func expectLines(t *testing.T, l *logged, word string, want ...string) {
	t.Helper()
	got := l.about(word)
	if len(got) != len(want) {
		t.Errorf("the log says %q\nwant %q", got, want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("the log says %s\nwant %s", got[i], want[i])
		}
	}
}

// A server that refuses items is asked again, later and later, and the log has
// one line of it, across sessions too.
func TestRefusedItems(t *testing.T) {
	t.Parallel()
	s := listen(t)
	names := []string{"V0", "V1", "V2", "V3"}
	for i, n := range names {
		add(t, s, n, tag.TypeInt32, i, true)
	}
	s.RefuseMonitoring(badTooManyMonitoredItems, "V1", "V3")
	all, log := items(s, names...), &logged{}
	d := newDriver(t, quick(s, log), all)
	for session := range 2 {
		connect(t, d)
		w := watch(t, d, all)
		w.lately(t, 0, "0", isTold(0))
		w.lately(t, 1, "a refusal", isRefused(badTooManyMonitoredItems))
		w.lately(t, 2, "2", isTold(2))
		w.lately(t, 3, "a refusal", isRefused(badTooManyMonitoredItems))
		expectValue(t, read(t, d, all)[1], tag.Int(1))
		before, begin := s.Refusals(), time.Now()
		for n := 1; s.Refusals() < before+2; n++ { // what is told meanwhile makes the time pass
			if err := s.Set("V0", 100*session+n); err != nil {
				t.Fatal(err)
			}
			w.lately(t, 0, "what was set", isTold(int64(100*session+n)))
		}
		if took := time.Since(begin); took < 2*time.Second { // the second wait
			t.Errorf("the server was asked again twice within %v", took)
		}
		w.mu.Lock()
		refusals := len(w.all[1]) + len(w.all[3])
		w.mu.Unlock()
		if refusals != 2 {
			t.Errorf("two items that are not monitored were told of %d times", refusals)
		}
		if session == 0 {
			w.stop()
			if err := w.ended(t); !errors.Is(err, context.Canceled) {
				t.Errorf("Subscribe ended with %v", err)
			}
			if err := s.Set("V0", 0); err != nil {
				t.Fatal(err)
			}
			continue
		}
		s.RefuseMonitoring(0)
		w.lately(t, 1, "1", isTold(1))
		w.lately(t, 3, "3", isTold(3))
		if err := s.Set("V3", 33); err != nil {
			t.Fatal(err)
		}
		w.lately(t, 3, "33", isTold(33))
		w.stop()
		w.ended(t)
	}
	expectLines(t, log, "does not monitor", `status=BadTooManyMonitoredItems count=2 first=V1`)
	var back int
	for _, line := range log.about("the server monitors tags") {
		back += strings.Count(line, "count=1") + 2*strings.Count(line, "count=2")
	}
	if back != 2 {
		t.Errorf("the log says of %d items that they are monitored again, want 2", back)
	}
}

// A node that comes, goes and comes again is monitored while it is there.
func TestNodeComesAndGoes(t *testing.T) {
	t.Parallel()
	s := listen(t)
	add(t, s, "Speed", tag.TypeInt32, 1, true)
	all, log := items(s, "Speed", "Late"), &logged{}
	d := newDriver(t, quick(s, log), all)
	connect(t, d)
	w := watch(t, d, all)
	w.lately(t, 0, "1", isTold(1))
	w.lately(t, 1, "a refusal", isRefused(tag.BadNodeIdUnknown))
	for round := range 2 {
		v := 10 * (round + 1)
		add(t, s, "Late", tag.TypeInt32, v, true)
		w.lately(t, 1, "its first value", isTold(int64(v)))
		if err := s.Set("Late", v+1); err != nil {
			t.Fatal(err)
		}
		w.lately(t, 1, "its change", isTold(int64(v+1)))
		if err := s.RemoveVariable("Late"); err != nil {
			t.Fatal(err)
		}
		w.lately(t, 1, "its loss", isRefused(tag.BadNodeIdUnknown))
	}
	w.lately(t, 0, "1", isTold(1))
	w.stop()
	w.ended(t)
	one := `status=BadNodeIdUnknown count=1 first=Late`
	expectLines(t, log, "does not monitor", one, one, one)
}

// The tag of an item that the server does not monitor follows the device
// through the gateway, and goes on when it is monitored again.
func TestUnmonitoredThroughGateway(t *testing.T) {
	t.Parallel()
	s := listen(t)
	names := []string{"V0", "V1"}
	for i, n := range names {
		add(t, s, n, tag.TypeInt32, i, true)
	}
	s.RefuseMonitoring(badTooManyMonitoredItems, "V1")
	all, log := items(s, names...), &logged{}
	var tags []gateway.Tag
	for i := range all {
		all[i].Write = false
		tags = append(tags, gateway.Tag{Path: all[i].Path, Connection: "plc", Item: all[i]})
	}
	d := newDriver(t, quick(s, log), all)
	g, err := gateway.New(gateway.Config{
		Connections: []gateway.Connection{{Name: "plc", DriverKind: "opcua", Driver: d, Subscribe: true}}, Tags: tags})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	updates, err := g.Watch(ctx, "V1")
	if err != nil {
		t.Fatal(err)
	}
	await := func(v int) tag.Sample {
		t.Helper()
		timer := time.NewTimer(patience)
		defer timer.Stop()
		for {
			select {
			case u := <-updates:
				if is(tag.Int(int64(v)))(u.Sample) {
					return u.Sample
				}
			case <-timer.C:
				t.Fatalf("the tag never had %d", v)
			}
		}
	}
	for v := 10; v < 14; v++ {
		if err := s.Set("V1", v); err != nil {
			t.Fatal(err)
		}
		first := await(v)
		if again := await(v); !again.Received.After(first.Received) { // polled: each read is a sample
			t.Errorf("two samples were received at %v and %v", first.Received, again.Received)
		}
	}
	s.RefuseMonitoring(0)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for len(log.about("the server monitors tags")) == 0 {
		select {
		case <-updates:
		case <-timer.C:
			t.Fatal("the item did not return to the subscription")
		}
	}
	for v := 20; v < 24; v++ {
		if err := s.Set("V1", v); err != nil {
			t.Fatal(err)
		}
		await(v)
	}
}
