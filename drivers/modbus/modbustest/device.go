package modbustest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/simonvetter/modbus"
)

// maxLog bounds the log of writes, so that a device may run for ever.
const maxLog = 1 << 16

// Device is a Modbus TCP server with its memory.
type Device struct {
	addr string

	life   sync.Mutex // of server: Stop, Start, Close
	server *modbus.ModbusServer

	mu       sync.Mutex // of all below
	coils    [1 << 16]bool
	discrete [1 << 16]bool
	input    [1 << 16]uint16
	holding  [1 << 16]uint16
	refused  map[place]Exception
	delay    time.Duration
	stopped  chan struct{} // closed by Stop: ends delays
	onWrite  []func(table string, addr uint16, values []uint16)
	writes   []WriteRecord
	requests int64
}

// place is an address to read or to write.
type place struct {
	table string
	addr  uint16
	write bool
}

// WriteRecord is one write request that the device carried out.
type WriteRecord struct {
	Time   time.Time
	Unit   uint8
	Table  string   // TableHolding or TableCoil
	Addr   uint16   // the first address
	Values []uint16 // of coils 0 or 1
}

// Listen starts a device at a TCP address host:port; port 0 means a free one.
func Listen(addr string) (*Device, error) {
	d := &Device{refused: make(map[place]Exception)}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", addr, err)
	}
	if port != "0" {
		d.addr = addr
		if err := d.start(); err != nil {
			return nil, err
		}
		return d, nil
	}
	// The server does not tell its port: take one that is free now, and another
	// if somebody is quicker.
	for range 20 {
		if d.addr, err = freePort(host); err != nil {
			return nil, err
		}
		if err = d.start(); err == nil {
			return d, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, err
}

func freePort(host string) (string, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("cannot find a free port: %w", err)
	}
	return ln.Addr().String(), ln.Close()
}

// Addr is the TCP address host:port; it stays the same over Stop and Start.
func (d *Device) Addr() string { return d.addr }

// URL is the address as a connection's url: tcp://host:port.
func (d *Device) URL() string { return "tcp://" + d.addr }

// startPatience bounds how long Start waits for its port: while nobody listened
// there the system may have lent it to a connection of somebody else's.
const startPatience = 10 * time.Second

// Start takes connections again after Stop, with the memory as it was.
func (d *Device) Start() error {
	err := d.start()
	for began := time.Now(); errors.Is(err, syscall.EADDRINUSE) && time.Since(began) < startPatience; {
		<-time.After(20 * time.Millisecond)
		err = d.start()
	}
	return err
}

// start is Start without patience.
func (d *Device) start() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.server != nil {
		return nil
	}
	server, err := modbus.NewServer(&modbus.ServerConfiguration{
		URL:        d.URL(),
		Timeout:    time.Hour, // of idle links
		MaxClients: 1000,
		Logger:     log.New(io.Discard, "", 0), // its default is standard output
	}, handler{d})
	if err != nil {
		return fmt.Errorf("cannot make a Modbus server at %s: %w", d.addr, err)
	}
	d.mu.Lock()
	d.stopped = make(chan struct{})
	d.mu.Unlock()
	if err := server.Start(); err != nil {
		return fmt.Errorf("cannot start a Modbus server at %s: %w", d.addr, err)
	}
	d.server = server
	return nil
}

// Stop closes all links and takes no new ones until Start.
func (d *Device) Stop() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.server == nil {
		return nil
	}
	err := d.server.Stop()
	d.server = nil
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.stopped)
	return err
}

// Close ends the device. It may be called twice.
func (d *Device) Close() error { return d.Stop() }

// RefuseReads makes reads that touch an address of a table fail with an exception.
func (d *Device) RefuseReads(table string, addr uint16, e Exception) {
	d.refuse(place{table, addr, false}, e)
}

// RefuseWrites makes writes that touch an address of a table fail with an
// exception, without effect.
func (d *Device) RefuseWrites(table string, addr uint16, e Exception) {
	d.refuse(place{table, addr, true}, e)
}

func (d *Device) refuse(p place, e Exception) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused[p] = e
}

// Allow undoes RefuseReads and RefuseWrites of an address.
func (d *Device) Allow(table string, addr uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.refused, place{table, addr, false})
	delete(d.refused, place{table, addr, true})
}

// SetDelay makes the device wait before it answers a request that it has
// carried out.
func (d *Device) SetDelay(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = delay
}

// OnWrite has f called after each write request, before it is answered, with
// the values written (of coils 0 or 1). f may use the device; what it sets is
// not a write request. A panic in f ends the process.
func (d *Device) OnWrite(f func(table string, addr uint16, values []uint16)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onWrite = append(d.onWrite, f)
}

// Writes returns the write requests so far, oldest first: all of the first
// 131,072, and then the newest 65,536 at least.
func (d *Device) Writes() []WriteRecord {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.writes)
}

// ClearWrites empties the log of writes.
func (d *Device) ClearWrites() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes = nil
}

// Requests counts the read and write requests that the device understood,
// refused ones included.
func (d *Device) Requests() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}
