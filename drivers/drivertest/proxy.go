package drivertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Proxy forwards TCP connections to a device, and misbehaves on demand. What
// it is told holds for the links that are open and for those to come. All
// methods may be called at any time.
type Proxy struct {
	addr         string
	conns        atomic.Int64
	requestBytes atomic.Int64
	answerBytes  atomic.Int64
	work         sync.WaitGroup

	mu       sync.Mutex
	target   string
	listener net.Listener // nil while down
	fault    fault
	links    map[*proxyLink]struct{}
}

// fault is what the proxy does wrong at present.
type fault struct {
	dropRequests bool
	dropAnswers  bool
	halfAnswers  bool
	delay        time.Duration // of answers
}

// proxyLink is one connection through the proxy.
type proxyLink struct {
	client, device net.Conn
	done           chan struct{} // closed when the link is to end
	once           sync.Once
}

func (l *proxyLink) end() {
	l.once.Do(func() {
		close(l.done)
		// Errors of Close say only that the peer was quicker.
		_ = l.client.Close()
		_ = l.device.Close()
	})
}

// NewProxy listens on a free loopback port and forwards to target, a TCP
// address host:port.
func NewProxy(target string) (*Proxy, error) {
	ln, err := listen("127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start a proxy: %w", err)
	}
	p := &Proxy{addr: ln.Addr().String(), target: target, links: make(map[*proxyLink]struct{})}
	p.serve(ln)
	return p, nil
}

// Addr is the TCP address host:port that the proxy listens at; it stays the
// same over Down and Up.
func (p *Proxy) Addr() string { return p.addr }

// Conns counts the connections that the proxy has taken.
func (p *Proxy) Conns() int64 { return p.conns.Load() }

// Links is how many connections through the proxy are open.
func (p *Proxy) Links() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// RequestBytes counts the bytes that came from drivers, forwarded or not.
func (p *Proxy) RequestBytes() int64 { return p.requestBytes.Load() }

// AnswerBytes counts the bytes that came from the device, forwarded or not.
func (p *Proxy) AnswerBytes() int64 { return p.answerBytes.Load() }

// Retarget sends connections to come to another device.
func (p *Proxy) Retarget(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Pass ends all misbehaviour but Down. What was swallowed stays so.
func (p *Proxy) Pass() { p.set(fault{}) }

// DropAnswers swallows what the device says; requests reach it.
func (p *Proxy) DropAnswers() { p.set(fault{dropAnswers: true}) }

// DropRequests swallows what the driver says.
func (p *Proxy) DropRequests() { p.set(fault{dropRequests: true}) }

// HalfAnswers lets the first half of each answer through.
func (p *Proxy) HalfAnswers() { p.set(fault{halfAnswers: true}) }

// DelayAnswers holds each answer back for d.
func (p *Proxy) DelayAnswers(d time.Duration) { p.set(fault{delay: d}) }

func (p *Proxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

func (p *Proxy) now() fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

// Cut closes all links that are open; new ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.end()
	}
}

// Down closes all links and refuses new ones.
func (p *Proxy) Down() error {
	p.mu.Lock()
	ln := p.listener
	p.listener = nil
	p.mu.Unlock()
	p.Cut()
	if ln == nil {
		return nil
	}
	return ln.Close()
}

// upPatience bounds how long Up waits for its port: while nobody listened there
// the system may have lent it to a connection of somebody else's.
const upPatience = 10 * time.Second

// Up takes connections again after Down.
func (p *Proxy) Up() error {
	ln, err := listen(p.addr)
	for began := time.Now(); errors.Is(err, syscall.EADDRINUSE) && time.Since(began) < upPatience; {
		<-time.After(20 * time.Millisecond)
		ln, err = listen(p.addr)
	}
	if err != nil {
		return fmt.Errorf("cannot listen again: %w", err)
	}
	p.serve(ln)
	return nil
}

// Close ends the proxy and returns when its goroutines have.
func (p *Proxy) Close() error {
	err := p.Down()
	p.work.Wait()
	return err
}

func listen(addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(context.Background(), "tcp", addr)
}

func (p *Proxy) serve(ln net.Listener) {
	p.mu.Lock()
	p.listener = ln
	p.mu.Unlock()
	p.work.Go(func() {
		for {
			c, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			p.conns.Add(1)
			p.work.Go(func() { p.link(ln, c) })
		}
	})
}

// link forwards one connection until one side ends it.
func (p *Proxy) link(ln net.Listener, client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	var dialer net.Dialer
	device, err := dialer.DialContext(context.Background(), "tcp", target)
	if err != nil {
		_ = client.Close() // the driver sees what it would see at the device
		return
	}
	l := &proxyLink{client: client, device: device, done: make(chan struct{})}
	defer l.end()
	p.mu.Lock()
	down := p.listener != ln
	p.links[l] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	if down {
		return
	}
	p.work.Go(func() { defer l.end(); p.pumpRequests(l) })
	p.pumpAnswers(l)
}

func (p *Proxy) pumpRequests(l *proxyLink) {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		p.requestBytes.Add(int64(n))
		if err != nil {
			return
		}
		if p.now().dropRequests {
			continue
		}
		if _, err := l.device.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) pumpAnswers(l *proxyLink) {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.device.Read(buf)
		p.answerBytes.Add(int64(n))
		if err != nil {
			return
		}
		f := p.now()
		if f.dropAnswers {
			continue
		}
		if f.halfAnswers {
			n /= 2
		}
		if f.delay > 0 {
			timer := time.NewTimer(f.delay)
			select {
			case <-l.done:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
		if _, err := l.client.Write(buf[:n]); err != nil {
			return
		}
	}
}
