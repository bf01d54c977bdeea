package drivertest

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// echo is a device that answers with what it was asked, four bytes at a time.
func echo(t *testing.T) (addr string) {
	t.Helper()
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4)
				for {
					if _, err := io.ReadFull(c, buf); err != nil {
						return
					}
					if _, err := c.Write(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// asker is a client that notes what it gets until its link ends.
type asker struct {
	net.Conn
	got chan []byte
}

func ask(t *testing.T, p *Proxy) asker {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	a := asker{c, make(chan []byte)}
	go func() {
		defer close(a.got)
		buf := make([]byte, 64)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			a.got <- bytes.Clone(buf[:n])
		}
	}()
	return a
}

func (a asker) send(t *testing.T, s string) {
	t.Helper()
	if _, err := a.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

func (a asker) expect(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-a.got:
		if string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("no answer, want %q", want)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	p, err := NewProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	d := Device{Patience: 10 * time.Second}
	a := ask(t, p)
	a.send(t, "ping")
	a.expect(t, "ping")

	answered := func(n int64) {
		t.Helper()
		if !eventually(t.Context(), d, func() bool { return p.AnswerBytes() == n }) {
			t.Fatalf("%d bytes were answered, not %d", p.AnswerBytes(), n)
		}
	}
	p.DropAnswers()
	a.send(t, "lost")
	answered(8)
	p.HalfAnswers()
	a.send(t, "half")
	a.expect(t, "ha")
	p.DropRequests()
	a.send(t, "void")
	if !eventually(t.Context(), d, func() bool { return p.RequestBytes() == 16 }) {
		t.Fatalf("%d bytes were asked", p.RequestBytes())
	}
	p.DelayAnswers(20 * time.Millisecond)
	start := time.Now()
	a.send(t, "slow")
	a.expect(t, "slow")
	if took := time.Since(start); took < 20*time.Millisecond {
		t.Errorf("a delayed answer took %v", took)
	}
	answered(16) // "void" never arrived
	p.Pass()

	p.Cut()
	if got, open := <-a.got; open {
		t.Errorf("a link that was cut gave %q", got)
	}
	b := ask(t, p)
	b.send(t, "back")
	b.expect(t, "back")
	if p.Conns() != 2 {
		t.Errorf("%d connections", p.Conns())
	}
	if err := p.Down(); err != nil {
		t.Fatal(err)
	}
	if got, open := <-b.got; open {
		t.Errorf("a link to a device that is down gave %q", got)
	}
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		c.Close()
		t.Error("a proxy that is down takes connections")
	}
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	p.Retarget(echo(t))
	c := ask(t, p)
	c.send(t, "more")
	c.expect(t, "more")
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
