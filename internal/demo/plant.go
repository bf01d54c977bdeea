package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
	"time"

	"holdfast/drivers/modbus/modbustest"
	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

// The places of the filler's values; config.yaml has the same.
const (
	holdingSpeed   = 100 // float32, two registers, CDAB
	holdingSpeedSP = 102
	inputLevel     = 0  // 0 to 27648
	inputBottles   = 10 // uint32, two registers, CDAB
	coilStart      = 0
	coilValve      = 1

	discreteValveOpen   = 0
	discreteFull        = 1
	discreteRunning     = 2
	discreteGuardClosed = 4

	levelScale = 27648
)

// The press's variables.
const (
	varRecipe      = "Recipe.Name"
	varBatchNo     = "Batch.No"
	varLamp        = "Lamp"
	varTemperature = "Temperature"
)

const (
	tick      = 20 * time.Millisecond
	longTick  = 200 * time.Millisecond // what a machine that slept catches up with at most
	saveEvery = 250 * time.Millisecond // of what the line moves by itself
)

// plant is a line behind its two servers.
type plant struct {
	file string
	dev  *modbustest.Device
	srv  *opcuatest.Server

	mu      sync.Mutex
	line    line
	saved   time.Time
	failure error // the first: of a write that could not be put on disk
}

// openPlant starts the servers on these addresses, or on others where they are
// "" or taken, with what file remembers of the line.
func openPlant(file, modbusAddr, opcuaAddr string) (_ *plant, err error) {
	p := &plant{file: file}
	if err := p.load(); err != nil {
		return nil, err
	}
	if p.dev, err = listen(modbusAddr, modbustest.Listen); err != nil {
		return nil, err
	}
	p.srv, err = listen(opcuaAddr, func(addr string) (*opcuatest.Server, error) { return opcuatest.Listen(addr) })
	if err != nil {
		return nil, errors.Join(err, p.dev.Close())
	}
	if err := p.wire(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// listen starts a server on addr, or on a free port where that is taken.
func listen[S any](addr string, start func(string) (S, error)) (S, error) {
	const anyPort = "127.0.0.1:0"
	if addr == "" {
		addr = anyPort
	}
	s, err := start(addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return start(anyPort)
	}
	return s, err
}

func (p *plant) load() error {
	b, err := os.ReadFile(p.file)
	if errors.Is(err, os.ErrNotExist) {
		p.line.Temperature = roomTemp
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot read what the plant holds: %w", err)
	}
	if err := json.Unmarshal(b, &p.line); err != nil {
		return fmt.Errorf("cannot read what the plant holds: %s: %w", p.file, err)
	}
	return nil
}

// wire puts the line's values into the servers and listens to what is written.
func (p *plant) wire() error {
	l := &p.line
	p.dev.SetHolding(holdingSpeedSP, words(math.Float32bits(l.SpeedSP))...)
	p.dev.SetCoil(coilStart, l.Start, l.Valve)
	p.dev.SetDiscrete(discreteGuardClosed, true)
	err := errors.Join(
		p.srv.AddVariable(varRecipe, tag.TypeString, l.Recipe, true),
		p.srv.AddVariable(varBatchNo, tag.TypeUint32, l.BatchNo, true),
		p.srv.AddVariable(varLamp, tag.TypeBool, l.Lamp, true),
		p.srv.AddVariable(varTemperature, tag.TypeFloat64, l.Temperature, false),
	)
	p.show(*l)
	p.dev.OnWrite(p.modbusWritten)
	p.srv.OnWrite(p.opcuaWritten)
	return err
}

// words returns a value of 32 bits as two registers, the low one first (CDAB).
func words(v uint32) []uint16 { return []uint16{uint16(v), uint16(v >> 16)} }

func (p *plant) modbusWritten(table string, addr uint16, values []uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, v := range values {
		switch at := addr + uint16(i); {
		case table == modbustest.TableCoil && at == coilStart:
			p.line.Start = v != 0
		case table == modbustest.TableCoil && at == coilValve:
			p.line.Valve = v != 0
		case table == modbustest.TableHolding && (at == holdingSpeedSP || at == holdingSpeedSP+1):
			bits := uint32(p.dev.Holding(holdingSpeedSP)) | uint32(p.dev.Holding(holdingSpeedSP+1))<<16
			p.line.SpeedSP = math.Float32frombits(bits)
		}
	}
	p.save()
}

func (p *plant) opcuaWritten(name string, value any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch v := value.(type) {
	case string:
		p.line.Recipe = v
	case uint32:
		p.line.BatchNo = v
	case bool:
		p.line.Lamp = v
	default:
		p.fail(fmt.Errorf("the press was given a %T for %s", value, name))
	}
	p.save()
}

// fail keeps the first failure. The caller holds p.mu.
func (p *plant) fail(err error) {
	if p.failure == nil {
		p.failure = err
	}
}

// save puts the line on disk. The caller holds p.mu.
func (p *plant) save() {
	b, err := json.Marshal(p.line)
	if err == nil {
		err = replaceFile(p.file, b)
	}
	if err != nil {
		p.fail(fmt.Errorf("cannot keep what the plant holds: %w", err))
	}
	p.saved = time.Now()
}

// show puts what the line has moved by itself since before into the servers.
// What is written from outside is not touched: a write may be on its way.
func (p *plant) show(before line) {
	l := p.line
	p.dev.SetHolding(holdingSpeed, words(math.Float32bits(l.Speed))...)
	p.dev.SetInput(inputLevel, uint16(math.Round(l.Level*levelScale)))
	p.dev.SetInput(inputBottles, words(l.Bottles)...)
	p.dev.SetDiscrete(discreteValveOpen, l.ValveOpen, l.full(), l.Running)
	if before.Start && !l.Start {
		p.dev.SetCoil(coilStart, false)
	}
	if t := tenths(l.Temperature); t != tenths(before.Temperature) {
		if err := p.srv.Set(varTemperature, t); err != nil {
			p.fail(err)
		}
	}
}

func tenths(f float64) float64 { return math.Round(f*10) / 10 }

// run moves the line until ctx ends. An error means that the plant could not
// keep what was written to it.
func (p *plant) run(ctx context.Context) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			p.mu.Lock()
			defer p.mu.Unlock()
			p.save()
			return p.failure
		case <-t.C:
		}
		now := time.Now()
		if err := p.step(now, min(now.Sub(last), longTick)); err != nil {
			return err
		}
		last = now
	}
}

func (p *plant) step(now time.Time, dt time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.line
	p.line.advance(dt)
	p.show(before)
	switched := before.ValveOpen != p.line.ValveOpen || before.full() != p.line.full() || before.Running != p.line.Running
	if switched || now.Sub(p.saved) >= saveEvery {
		p.save()
	}
	return p.failure
}

func (p *plant) close() error { return errors.Join(p.dev.Close(), p.srv.Close()) }

// batchNo returns the batch that the press was last told.
func (p *plant) batchNo() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.line.BatchNo
}
