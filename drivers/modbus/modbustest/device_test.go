package modbustest_test

import (
	"errors"
	"io"
	"log"
	"slices"
	"testing"
	"time"

	"github.com/simonvetter/modbus"

	"holdfast/drivers/modbus/modbustest"
)

func open(t *testing.T, dev *modbustest.Device) *modbus.ModbusClient {
	t.Helper()
	c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: dev.URL(), Timeout: 10 * time.Second, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestTables(t *testing.T) {
	t.Parallel()
	dev, err := modbustest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c := open(t, dev)
	dev.SetHolding(65534, 1, 2)
	dev.SetInput(0, 3, 4)
	dev.SetCoil(5, true)
	dev.SetDiscrete(6, true)
	if v, err := c.ReadRegisters(65534, 2, modbus.HOLDING_REGISTER); err != nil || !slices.Equal(v, []uint16{1, 2}) {
		t.Errorf("holding registers: %v, %v", v, err)
	}
	if v, err := c.ReadRegisters(0, 2, modbus.INPUT_REGISTER); err != nil || !slices.Equal(v, []uint16{3, 4}) {
		t.Errorf("input registers: %v, %v", v, err)
	}
	if v, err := c.ReadCoils(4, 3); err != nil || !slices.Equal(v, []bool{false, true, false}) {
		t.Errorf("coils: %v, %v", v, err)
	}
	if v, err := c.ReadDiscreteInputs(5, 3); err != nil || !slices.Equal(v, []bool{false, true, false}) {
		t.Errorf("discrete inputs: %v, %v", v, err)
	}
	if dev.Input(1) != 4 || !dev.Discrete(6) || dev.Requests() != 4 {
		t.Errorf("%d, %t, %d requests", dev.Input(1), dev.Discrete(6), dev.Requests())
	}
}

func TestWriteLogAndHooks(t *testing.T) {
	t.Parallel()
	dev, err := modbustest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c := open(t, dev)
	dev.OnWrite(func(table string, addr uint16, values []uint16) {
		if table == modbustest.TableHolding {
			dev.SetInput(addr, values...) // a plant that follows its setpoint
		}
	})
	if err := errors.Join(c.WriteRegisters(10, []uint16{7, 8}), c.WriteCoil(3, true), c.WriteRegister(10, 9)); err != nil {
		t.Fatal(err)
	}
	dev.RefuseWrites(modbustest.TableHolding, 11, modbustest.ServerDeviceBusy)
	if err := c.WriteRegisters(10, []uint16{1, 1}); !errors.Is(err, modbus.ErrServerDeviceBusy) {
		t.Errorf("refused write: %v", err)
	}
	dev.RefuseReads(modbustest.TableInput, 11, modbustest.IllegalDataAddress)
	if _, err := c.ReadRegister(11, modbus.INPUT_REGISTER); !errors.Is(err, modbus.ErrIllegalDataAddress) {
		t.Errorf("refused read: %v", err)
	}
	if dev.Holding(10) != 9 || dev.Holding(11) != 8 || dev.Input(10) != 9 || !dev.Coil(3) {
		t.Errorf("the device has %d, %d, %d, %t", dev.Holding(10), dev.Holding(11), dev.Input(10), dev.Coil(3))
	}
	var tables []string
	for _, w := range dev.Writes() {
		tables = append(tables, w.Table)
	}
	if w := dev.Writes(); !slices.Equal(tables, []string{"holding", "coil", "holding"}) || !slices.Equal(w[0].Values, []uint16{7, 8}) ||
		w[1].Addr != 3 || w[1].Values[0] != 1 || w[2].Unit != 1 || w[2].Time.Before(w[0].Time) {
		t.Errorf("the log is %v", w)
	}
	dev.ClearWrites()
	dev.Allow(modbustest.TableHolding, 11)
	if err := c.WriteRegister(11, 5); err != nil || len(dev.Writes()) != 1 {
		t.Errorf("write after Allow: %v, log %v", err, dev.Writes())
	}
}

func TestStopStart(t *testing.T) {
	t.Parallel()
	dev, err := modbustest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, dev)
	dev.SetHolding(0, 42)
	dev.SetDelay(time.Hour)
	result := make(chan error)
	go func() { _, err := c.ReadRegister(0, modbus.HOLDING_REGISTER); result <- err }()
	if err := dev.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err == nil {
		t.Error("a request outlived its device")
	}
	dev.SetDelay(0)
	for range 2 {
		if err := dev.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := open(t, dev).ReadRegister(0, modbus.HOLDING_REGISTER); err != nil || v != 42 {
		t.Errorf("after a new start: %d, %v", v, err)
	}
	second, err := modbustest.Listen(dev.Addr())
	if err == nil {
		second.Close()
		t.Error("two devices at one address")
	}
	for range 2 {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	}
}
