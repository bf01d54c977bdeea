package modbustest

import (
	"slices"
	"time"

	"github.com/simonvetter/modbus"
)

// handler is the Device as its server sees it. The server has checked that
// addresses and quantities lie within the tables.
type handler struct{ d *Device }

// HandleCoils answers function codes 1, 5 and 15.
func (h handler) HandleCoils(r *modbus.CoilsRequest) ([]bool, error) {
	if !r.IsWrite {
		return serveRead(h.d, TableCoil, h.d.coils[:], r.Addr, r.Quantity)
	}
	values := make([]uint16, len(r.Args))
	for i, b := range r.Args {
		if b {
			values[i] = 1
		}
	}
	return nil, h.d.serveWrite(TableCoil, r.UnitId, r.Addr, values, func() { copy(h.d.coils[r.Addr:], r.Args) })
}

// HandleDiscreteInputs answers function code 2.
func (h handler) HandleDiscreteInputs(r *modbus.DiscreteInputsRequest) ([]bool, error) {
	return serveRead(h.d, TableDiscrete, h.d.discrete[:], r.Addr, r.Quantity)
}

// HandleHoldingRegisters answers function codes 3, 6 and 16.
func (h handler) HandleHoldingRegisters(r *modbus.HoldingRegistersRequest) ([]uint16, error) {
	if !r.IsWrite {
		return serveRead(h.d, TableHolding, h.d.holding[:], r.Addr, r.Quantity)
	}
	return nil, h.d.serveWrite(TableHolding, r.UnitId, r.Addr, r.Args, func() { copy(h.d.holding[r.Addr:], r.Args) })
}

// HandleInputRegisters answers function code 4.
func (h handler) HandleInputRegisters(r *modbus.InputRegistersRequest) ([]uint16, error) {
	return serveRead(h.d, TableInput, h.d.input[:], r.Addr, r.Quantity)
}

func serveRead[T any](d *Device, table string, memory []T, addr, quantity uint16) ([]T, error) {
	d.mu.Lock()
	d.requests++
	err := d.refusal(table, addr, int(quantity), false)
	values := slices.Clone(memory[addr:][:quantity])
	d.mu.Unlock()
	d.pause()
	if err != nil {
		return nil, err
	}
	return values, nil
}

func (d *Device) serveWrite(table string, unit uint8, addr uint16, values []uint16, apply func()) error {
	d.mu.Lock()
	d.requests++
	if err := d.refusal(table, addr, len(values), true); err != nil {
		d.mu.Unlock()
		d.pause()
		return err
	}
	apply()
	if len(d.writes) == 2*maxLog {
		d.writes = slices.Clone(d.writes[maxLog:])
	}
	d.writes = append(d.writes, WriteRecord{
		Time: time.Now(), Unit: unit, Table: table, Addr: addr, Values: slices.Clone(values),
	})
	hooks := slices.Clone(d.onWrite)
	d.mu.Unlock()
	for _, f := range hooks {
		f(table, addr, values)
	}
	d.pause()
	return nil
}

// refusal returns the exception of the first refused address in a range. The
// caller holds d.mu.
func (d *Device) refusal(table string, addr uint16, n int, write bool) error {
	if len(d.refused) == 0 {
		return nil
	}
	for i := range n {
		if e, ok := d.refused[place{table, addr + uint16(i), write}]; ok {
			return e.err()
		}
	}
	return nil
}

// pause waits for the device's delay, or until it is stopped.
func (d *Device) pause() {
	d.mu.Lock()
	delay, stopped := d.delay, d.stopped
	d.mu.Unlock()
	if delay <= 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stopped:
	}
}

// err is the error by which the server is told to answer with e.
func (e Exception) err() error {
	switch e {
	case IllegalFunction:
		return modbus.ErrIllegalFunction
	case IllegalDataAddress:
		return modbus.ErrIllegalDataAddress
	case IllegalDataValue:
		return modbus.ErrIllegalDataValue
	case Acknowledge:
		return modbus.ErrAcknowledge
	case ServerDeviceBusy:
		return modbus.ErrServerDeviceBusy
	case MemoryParityError:
		return modbus.ErrMemoryParityError
	case GatewayPathUnavailable:
		return modbus.ErrGWPathUnavailable
	case GatewayTargetNoResponse:
		return modbus.ErrGWTargetFailedToRespond
	}
	return modbus.ErrServerDeviceFailure
}
