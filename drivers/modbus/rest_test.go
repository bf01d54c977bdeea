package modbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/drivers/modbus"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// The times of the tests of one failure. What is late comes well within
// restLateAnswer: the machine may be busy.
const (
	restTimeout    = 100 * time.Millisecond
	restLate       = 200 * time.Millisecond
	restLateAnswer = 400 * time.Millisecond
)

// next makes the unit give its next answer in a manner.
func (u *serialUnit) next(m manner) { u.coming <- m }

// readOne reads a register. Where the machine was so busy that an answer came
// too late, it reads again.
func readOne(t *testing.T, d *modbus.Driver, item tag.Item, want int64) {
	t.Helper()
	samples, err := d.Read(t.Context(), []tag.Item{item})
	for n := 0; n < 5 && err != nil && samples != nil && samples[0].Status == tag.BadTimeout; n++ {
		if err := d.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		samples, err = d.Read(t.Context(), []tag.Item{item})
	}
	if err != nil {
		t.Fatal(err)
	}
	if s := samples[0]; !s.Status.IsGood() || !s.Value.Equal(tag.Int(want)) {
		t.Errorf("%s reads %v, %v; want %d", item.Address, s.Value, s.Status, want)
	}
}

// TestRest lets one request fail, and holds that nothing is asked before
// LateAnswer has passed since it was sent, and that all is right then.
func TestRest(t *testing.T) {
	t.Parallel()
	read := func(t *testing.T, d *modbus.Driver, items []tag.Item) {
		samples, err := d.Read(t.Context(), items[:1])
		if err == nil || !samples[0].Status.IsBad() || !strings.HasSuffix(err.Error(), "; the answer may come late, nothing is asked for 400ms") {
			t.Errorf("Read returned %v, %v", samples, err)
		}
	}
	write := func(t *testing.T, d *modbus.Driver, items []tag.Item) {
		os := mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(100)}, tag.Write{Item: items[1], Value: tag.Int(5)})
		if os[0].Result != tag.Unknown || os[1].Result != tag.Rejected || os[1].Status != tag.BadNotConnected {
			t.Errorf("outcomes are %v", os)
		}
	}
	for line, open := range serialLines() {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dev := listen(t)
			dev.SetHolding(0, 100, 101)
			unit, url := open(t, dev)
			items := registers(2)
			d := connect(t, modbus.Config{URL: url, UnitID: 1, Timeout: restTimeout, LateAnswer: restLateAnswer}, items)
			for _, c := range []struct {
				name   string
				fail   func(*testing.T, *modbus.Driver, []tag.Item)
				manner manner
				writes int
			}{
				{"late read", read, manner{delay: restLate}, 0},
				{"torn read", read, manner{delay: restLate, torn: true}, 0},
				{"garbled read", read, manner{garbled: true}, 0},
				{"lost read", read, manner{lost: true}, 0},
				{"late write", write, manner{delay: restLate}, 1},
				{"garbled write", write, manner{garbled: true}, 1},
			} {
				dev.ClearWrites()
				unit.next(c.manner)
				var asked time.Time
				for heard := false; !heard; heard = unit.hears() {
					if !asked.IsZero() { // it failed by itself: the machine is busy
						if err := d.Connect(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					asked = time.Now()
					unit.asked.Store(asked.UnixNano())
					c.fail(t, d, items)
				}
				if _, err := d.Write(t.Context(), []tag.Write{{Item: items[1], Value: tag.Int(7)}}); !errors.Is(err, tag.ErrNotConnected) {
					t.Errorf("%s: Write after it: %v", c.name, err)
				}
				if err := d.Connect(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(asked); took < restLateAnswer {
					t.Errorf("%s: the line was open again after %v", c.name, took)
				}
				readOne(t, d, items[1], 101)
				readOne(t, d, items[0], 100)
				if n := len(dev.Writes()); n != c.writes {
					t.Errorf("%s: the device got %v", c.name, dev.Writes())
				}
			}
		})
	}
}

// TestWriteInRest writes through a gateway while the line rests: the write is
// refused at once and not sent, and may be tried again.
func TestWriteInRest(t *testing.T) {
	t.Parallel()
	for line, open := range serialLines() {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dev := listen(t)
			dev.SetHolding(0, 100, 101)
			unit, url := open(t, dev)
			unit.next(manner{delay: restLate})
			items := registers(2)
			const rest = 600 * time.Millisecond
			d, err := modbus.New(modbus.Config{URL: url, UnitID: 1, Timeout: restTimeout, LateAnswer: rest}, items)
			if err != nil {
				t.Fatal(err)
			}
			var tags []gateway.Tag
			for _, it := range items {
				tags = append(tags, gateway.Tag{Path: it.Path, Connection: "plc", Item: it, Write: &gateway.WriteRule{}})
			}
			g, err := gateway.New(gateway.Config{
				Connections:  []gateway.Connection{{Name: "plc", DriverKind: "modbus", Driver: d, ReconnectMin: time.Millisecond}},
				Tags:         tags,
				StartupGrace: time.Minute,
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() { ended <- g.Run(ctx) }()
			defer func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			}()
			s, err := g.Read(ctx, items[0].Path, time.Now())
			if err != nil || !s.Status.IsBad() {
				t.Fatalf("Read returned %v, %v", s, err)
			}
			begin := time.Now()
			var out tag.Outcome
			// The reader has its answer a moment before the link is told.
			until(t, "the link is down", func() bool { return g.Links()[0].State == gateway.Down })
			out, err = g.Write(ctx, items[1].Path, tag.Int(7))
			if err != nil || out.Result != tag.Rejected || out.Detail != "connection plc is not up, nothing was sent" {
				t.Errorf("write while the line rests: %v, %v", out, err)
			}
			if took := time.Since(begin); took > rest/2 {
				t.Errorf("it was refused after %v", took)
			}
			if s, err := g.Read(ctx, items[0].Path, time.Now()); err != nil || s.Status != tag.BadNoCommunication {
				t.Errorf("read while the line rests: %v, %v", s, err)
			}
			if st := g.Links()[0]; st.State != gateway.Down || st.Errors != 1 || !strings.Contains(st.LastError, "nothing is asked for 600ms") {
				t.Errorf("the link says %+v", st)
			}
			until(t, "the link is up", func() bool { return g.Links()[0].State == gateway.Up })
			if w := dev.Writes(); len(w) != 0 {
				t.Errorf("the device got %v", w)
			}
			for i, want := range []int64{100, 101} {
				if s, err := g.Read(ctx, items[i].Path, time.Now()); err != nil || !s.Status.IsGood() || !s.Value.Equal(tag.Int(want)) {
					t.Errorf("%s reads %v, %v", items[i].Path, s, err)
				}
			}
			if out, err = g.Write(ctx, items[1].Path, tag.Int(7)); err != nil || out.Result != tag.Accepted || len(dev.Writes()) != 1 {
				t.Errorf("write after the rest: %v, %v; the device got %v", out, err, dev.Writes())
			}
		})
	}
}

// TestRestAtStart has a second driver come right after one that asked and is
// gone, as after a crash.
func TestRestAtStart(t *testing.T) {
	t.Parallel()
	for line, open := range serialLines() {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dev := listen(t)
			dev.SetHolding(0, 100, 101)
			unit, url := open(t, dev)
			unit.next(manner{delay: restLate})
			items := registers(2)
			cfg := modbus.Config{URL: url, UnitID: 1, Timeout: restTimeout, LateAnswer: restLateAnswer}
			first := connect(t, cfg, items)
			if _, err := first.Read(t.Context(), items[:1]); err == nil {
				t.Error("the answer came in time")
			}
			if err := first.Close(); err != nil {
				t.Error(err)
			}
			second := connect(t, cfg, items)
			readOne(t, second, items[1], 101)
			readOne(t, second, items[0], 100)
		})
	}
}

// TestNoEcho holds that a serial device that is closed does not send a late
// answer back: of a write, it is the same write again.
func TestNoEcho(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	unit, url := onPTY(t, dev)
	answered := make(chan struct{})
	send, once := unit.send, sync.Once{}
	unit.send = func(b []byte) { send(b); once.Do(func() { close(answered) }) }
	unit.next(manner{delay: restLate})
	items := registers(1)
	d := connect(t, modbus.Config{URL: url, UnitID: 1, Timeout: restTimeout, LateAnswer: restLateAnswer}, items)
	if o := mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(7)})[0]; o.Result != tag.Unknown {
		t.Errorf("outcome is %v", o)
	}
	<-answered
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := dev.Writes(); len(w) != 1 {
		t.Errorf("one write was carried out %d times", len(w))
	}
	readOne(t, d, items[0], 7)
}

// TestStaleBytes has more answers lie in the line than one look takes.
func TestStaleBytes(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"rtu", "rtuovertcp"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dev := listen(t)
			dev.SetHolding(0, 100)
			unit, url := serialLines()[line](t, dev)
			unit.send(bytes.Repeat([]byte{1, 3, 2, 0, 9, 0x78, 0x42}, 500))
			items := registers(1)
			d := connect(t, modbus.Config{URL: url, UnitID: 1, Timeout: restTimeout, LateAnswer: restTimeout}, items)
			for range 3 {
				readOne(t, d, items[0], 100)
			}
		})
	}
}

// TestNoSilence connects to a line on which somebody else talks.
func TestNoSilence(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"rtu", "rtuovertcp"} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			dev := listen(t)
			dev.SetHolding(0, 100)
			unit, url := serialLines()[line](t, dev)
			items := registers(1)
			d, err := modbus.New(modbus.Config{URL: url, UnitID: 1, Timeout: restTimeout, LateAnswer: restTimeout}, items)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			quiet, talker := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(talker)
				tick := time.NewTicker(5 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						unit.send([]byte{1, 3, 2})
					case <-quiet:
						return
					}
				}
			}()
			err = d.Connect(t.Context())
			if want := fmt.Sprintf("cannot connect to %s: the line does not fall silent, ", url); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("Connect says %v", err)
			}
			if _, err := d.Read(t.Context(), items); !errors.Is(err, tag.ErrNotConnected) {
				t.Errorf("Read says %v", err)
			}
			close(quiet)
			<-talker
			if n := dev.Requests(); n != 0 {
				t.Errorf("the device was asked %d times", n)
			}
			if err := d.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
			readOne(t, d, items[0], 100)
		})
	}
}

// TestRestEnded ends a Connect that lets the line rest, by ctx and by Close.
func TestRestEnded(t *testing.T) {
	t.Parallel()
	for line, open := range serialLines() {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			_, url := open(t, listen(t))
			d, err := modbus.New(modbus.Config{URL: url, UnitID: 1, LateAnswer: time.Hour}, nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			if err := d.Connect(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Connect that ctx ended: %v", err)
			}
			result := make(chan error)
			go func() { result <- d.Connect(t.Context()) }()
			until(t, "Connect has ended", func() bool {
				if err := d.Close(); err != nil { // it may come before Connect begins
					t.Error(err)
				}
				select {
				case err := <-result:
					if err == nil {
						t.Error("Connect that Close ended returned no error")
					}
					return true
				default:
					return false
				}
			})
		})
	}
}

// TestLateAnswerConfig refuses what has no meaning.
func TestLateAnswerConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  modbus.Config
		want string // "": taken
	}{
		{modbus.Config{URL: "tcp://127.0.0.1:502", LateAnswer: time.Second},
			"cannot use Modbus device tcp://127.0.0.1:502: a late answer of 1s has no meaning: answers carry a transaction identifier, but for RTU framing"},
		{modbus.Config{URL: "rtuovertcp://127.0.0.1:502", UnitID: 1, LateAnswer: 999 * time.Millisecond},
			"cannot use Modbus device rtuovertcp://127.0.0.1:502: a late answer of 999ms is below the timeout of 1s"},
		{modbus.Config{URL: "rtu:///dev/ttyS0", UnitID: 1, LateAnswer: time.Second}, ""},
		{modbus.Config{URL: "rtu:///dev/ttyS0", UnitID: 1, Timeout: time.Minute}, ""},
	} {
		got := ""
		if _, err := modbus.New(c.cfg, nil); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.cfg, got, c.want)
		}
	}
}
