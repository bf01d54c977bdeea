package modbus_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"holdfast/drivers/modbus/modbustest"
)

// manner is how a unit on a serial line gives one answer.
type manner struct {
	delay   time.Duration // until it answers
	torn    bool          // the first half comes at once, the rest after delay
	garbled bool          // its checksum is wrong
	lost    bool          // none comes
}

// serialUnit is a device on a serial line: it answers RTU frames, one after the
// other and as late as it likes, to whoever is at the other end by then.
type serialUnit struct {
	device net.Conn // has the answers, in Modbus TCP
	send   func([]byte)
	ask    func() manner // of an answer, where coming says nothing; called by one goroutine
	coming chan manner   // of the next answers
	limit  time.Duration // after which it does not answer any more; 0: none

	asked atomic.Int64   // when the tester began to ask, in Unix nanoseconds
	heard chan time.Time // the same, of each request that came
	late  atomic.Int64   // answers that came after their delay
	queue chan serialRequest
	buf   []byte
}

type serialRequest struct {
	frame []byte // without its checksum
	asked time.Time
}

func newSerialUnit(t *testing.T, dev *modbustest.Device, send func([]byte)) *serialUnit {
	u := &serialUnit{device: dial(t, dev), send: send, ask: func() manner { return manner{} }, coming: make(chan manner, 10),
		heard: make(chan time.Time, 10000), queue: make(chan serialRequest, 10000)}
	var work sync.WaitGroup
	work.Go(func() {
		for r := range u.queue {
			if err := u.answer(r); err != nil {
				t.Error(err)
				return
			}
		}
	})
	t.Cleanup(func() { close(u.queue); work.Wait() })
	return u
}

// feed takes what came over the line. What is no request is skipped, as a
// device does that waits for the next frame.
func (u *serialUnit) feed(b []byte) {
	u.buf = append(u.buf, b...)
	for len(u.buf) >= 8 {
		n := 8
		if fc := u.buf[1]; u.buf[0] == 1 && (fc == 15 || fc == 16) {
			n = 9 + int(u.buf[6])
		}
		if n > len(u.buf) {
			return
		}
		frame := slices.Clone(u.buf[:n-2])
		if crc16(frame) != binary.LittleEndian.Uint16(u.buf[n-2:]) {
			u.buf = u.buf[1:]
			continue
		}
		u.buf = u.buf[n:]
		asked := time.Unix(0, u.asked.Load())
		u.queue <- serialRequest{frame, asked}
		u.heard <- asked
	}
}

// hears waits until the request has come that the tester began to ask last. It
// reports false where none does within a second: the machine was so busy that
// the request's time was over before it was sent.
func (u *serialUnit) hears() bool {
	limit := time.After(time.Second)
	for {
		select {
		case asked := <-u.heard:
			if asked.UnixNano() == u.asked.Load() {
				return true
			}
		case <-limit:
			return false
		}
	}
}

func (u *serialUnit) answer(r serialRequest) error {
	request := binary.BigEndian.AppendUint16([]byte{0, 1, 0, 0}, uint16(len(r.frame)))
	answer, err := carry(u.device, append(request, r.frame...))
	if err != nil {
		return fmt.Errorf("request % x: %w", r.frame, err)
	}
	m := u.ask()
	select {
	case m = <-u.coming:
	default:
	}
	out := binary.LittleEndian.AppendUint16(answer[6:], crc16(answer[6:]))
	if m.garbled {
		out[len(out)-1] ^= 0xFF
	}
	if m.torn {
		u.send(out[:len(out)/2])
		out = out[len(out)/2:]
	}
	if m.delay > 0 {
		<-time.After(m.delay)
	}
	if m.lost || u.limit > 0 && time.Since(r.asked) > u.limit {
		return nil
	}
	if m.delay > 0 {
		u.late.Add(1)
	}
	u.send(out)
	return nil
}

// onGateway puts a unit behind a serial device server on TCP. What comes from
// the line goes to the newest connection, and waits where there is none.
func onGateway(t *testing.T, dev *modbustest.Device) (*serialUnit, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var client net.Conn
	var waiting []byte
	u := newSerialUnit(t, dev, func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		if client == nil {
			waiting = append(waiting, b...)
		} else if _, err := client.Write(b); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
			t.Error(err)
		}
	})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			client = c
			late := waiting
			waiting = nil
			mu.Unlock()
			// A slow processor between the line and the network.
			time.AfterFunc(5*time.Millisecond, func() { c.Write(late) })
			serve(c, u)
			mu.Lock()
			if client == c {
				client = nil
			}
			mu.Unlock()
			c.Close()
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		if client != nil {
			client.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return u, "rtuovertcp://" + ln.Addr().String()
}

func serve(c net.Conn, u *serialUnit) {
	buf := make([]byte, 512)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		u.feed(buf[:n])
	}
}

// onUDP puts a unit behind a serial device server on UDP, which answers to who
// asked last.
func onUDP(t *testing.T, dev *modbustest.Device) (*serialUnit, string) {
	t.Helper()
	sock, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var peer atomic.Value
	u := newSerialUnit(t, dev, func(b []byte) {
		if _, err := sock.WriteTo(b, peer.Load().(net.Addr)); err != nil {
			t.Error(err)
		}
	})
	var work sync.WaitGroup
	work.Go(func() {
		buf := make([]byte, 512)
		for {
			n, from, err := sock.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			peer.Store(from)
			u.feed(buf[:n])
		}
	})
	t.Cleanup(func() { sock.Close(); work.Wait() })
	return u, "rtuoverudp://" + sock.LocalAddr().String()
}
