package modbus_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"holdfast/drivers/drivertest"
	"holdfast/drivers/modbus"
	"holdfast/drivers/modbus/modbustest"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// listen starts a device that lives as long as the test.
func listen(tb testing.TB) *modbustest.Device {
	tb.Helper()
	dev, err := modbustest.Listen("127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := dev.Close(); err != nil {
			tb.Error(err)
		}
	})
	return dev
}

// points are one of each type, without a hole but for the missing register 130.
func points() []drivertest.Point {
	return []drivertest.Point{
		{Address: "holding:120", Type: tag.TypeUint16},
		{Address: "holding:121", Type: tag.TypeInt16},
		{Address: "coil:7", Type: tag.TypeBool},
		{Address: "coil:65535", Type: tag.TypeBool},
		{Address: "holding:122", Type: tag.TypeInt8},
		{Address: "holding:123", Type: tag.TypeUint8},
		{Address: "holding:124", Type: tag.TypeInt32},
		{Address: "holding:126", Type: tag.TypeUint32, Order: tag.CDAB},
		{Address: "holding:128", Type: tag.TypeFloat32, Order: tag.DCBA},
		{Address: "holding:131", Type: tag.TypeFloat32, Order: tag.BADC},
		{Address: "holding:133", Type: tag.TypeInt64, Order: tag.CDAB},
		{Address: "holding:137", Type: tag.TypeUint64, Order: tag.BADC},
		{Address: "holding:141", Type: tag.TypeFloat64, Order: tag.DCBA},
		{Address: "holding:145", Type: tag.TypeBCD16},
		{Address: "holding:146", Type: tag.TypeBCD32, Order: tag.CDAB},
		{Address: "holding:148", Type: tag.TypeString, Length: 15},
		{Address: "holding:156", Type: tag.TypeBytes, Length: 8, Order: tag.BADC},
		{Address: "465535", Type: tag.TypeInt32},
	}
}

func TestConformance(t *testing.T) {
	dev := listen(t)
	missing := drivertest.Point{Address: "holding:130", Type: tag.TypeUint16}
	dev.RefuseReads(modbustest.TableHolding, 130, modbustest.IllegalDataAddress)
	dev.RefuseWrites(modbustest.TableHolding, 130, modbustest.IllegalDataAddress)
	proxy, err := drivertest.NewProxy(dev.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := proxy.Close(); err != nil {
			t.Error(err)
		}
	})
	drivertest.Run(t, drivertest.Device{
		New: func(items []tag.Item) (gateway.Driver, error) {
			return modbus.New(modbus.Config{URL: "tcp://" + proxy.Addr(), UnitID: 1, Timeout: 300 * time.Millisecond}, items)
		},
		Points:  points(),
		Get:     func(p drivertest.Point) (tag.Value, error) { return deviceValue(dev, p) },
		Set:     func(p drivertest.Point, v tag.Value) error { return setDeviceValue(dev, p, v) },
		Missing: &missing,
		Refuse: func(p drivertest.Point) (func(), error) {
			a, err := modbus.ParseAddress(p.Address)
			if err != nil {
				return nil, err
			}
			dev.RefuseWrites(a.Table.String(), a.Offset, modbustest.IllegalDataValue)
			return func() { dev.Allow(a.Table.String(), a.Offset) }, nil
		},
		Proxy: proxy,
	})
}

// wire is where each byte of a value lies in its registers, most significant
// byte first: the definition of the orders, apart from the driver's codec.
func wire(order tag.Order, size int) []int {
	switch {
	case size == 4 && order == tag.CDAB:
		return []int{2, 3, 0, 1}
	case size == 4 && order == tag.BADC:
		return []int{1, 0, 3, 2}
	case size == 4 && order == tag.DCBA:
		return []int{3, 2, 1, 0}
	case size == 8 && order == tag.CDAB:
		return []int{6, 7, 4, 5, 2, 3, 0, 1}
	case size == 8 && order == tag.BADC:
		return []int{1, 0, 3, 2, 5, 4, 7, 6}
	case size == 8 && order == tag.DCBA:
		return []int{7, 6, 5, 4, 3, 2, 1, 0}
	}
	return []int{0, 1, 2, 3, 4, 5, 6, 7}[:size]
}

// size is how many bytes a number of type t takes in registers.
func size(t tag.Type) int {
	switch t {
	case tag.TypeInt32, tag.TypeUint32, tag.TypeFloat32, tag.TypeBCD32:
		return 4
	case tag.TypeInt64, tag.TypeUint64, tag.TypeFloat64:
		return 8
	}
	return 2
}

func deviceValue(dev *modbustest.Device, p drivertest.Point) (tag.Value, error) {
	a, err := modbus.ParseAddress(p.Address)
	if err != nil {
		return tag.None(), err
	}
	if a.Table == modbus.Coil {
		return tag.Bool(dev.Coil(a.Offset)), nil
	}
	if p.Length > 0 {
		raw := make([]byte, p.Length)
		for i := range raw {
			raw[i] = byte(dev.Holding(a.Offset+uint16(i/2)) >> (8 * ((i + 1 + swap(p)) % 2)))
		}
		if p.Type == tag.TypeBytes {
			return tag.Bytes(raw), nil
		}
		return tag.String(strings.TrimRight(string(bytes.TrimRight(raw, "\x00")), " ")), nil
	}
	raw, plain := make([]byte, size(p.Type)), make([]byte, size(p.Type))
	for i := range len(raw) / 2 {
		binary.BigEndian.PutUint16(raw[2*i:], dev.Holding(a.Offset+uint16(i)))
	}
	for i, at := range wire(p.Order, len(raw)) {
		plain[i] = raw[at]
	}
	n := binary.BigEndian.Uint64(append(make([]byte, 8-len(plain)), plain...))
	switch p.Type {
	case tag.TypeInt8:
		return tag.Int(int64(int8(n))), nil
	case tag.TypeInt16:
		return tag.Int(int64(int16(n))), nil
	case tag.TypeInt32:
		return tag.Int(int64(int32(n))), nil
	case tag.TypeInt64:
		return tag.Int(int64(n)), nil
	case tag.TypeFloat32:
		return tag.Float(float64(math.Float32frombits(uint32(n)))), nil
	case tag.TypeFloat64:
		return tag.Float(math.Float64frombits(n)), nil
	case tag.TypeBCD16, tag.TypeBCD32:
		var v uint64
		_, err := fmt.Sscanf(fmt.Sprintf("%x", n), "%d", &v)
		return tag.Uint(v), err
	}
	return tag.Uint(n), nil
}

func swap(p drivertest.Point) int {
	if p.Order == tag.BADC {
		return 1
	}
	return 0
}

func setDeviceValue(dev *modbustest.Device, p drivertest.Point, v tag.Value) error {
	a, err := modbus.ParseAddress(p.Address)
	if err != nil {
		return err
	}
	if a.Table == modbus.Coil {
		b, _ := v.AsBool()
		dev.SetCoil(a.Offset, b)
		return nil
	}
	if p.Length > 0 {
		text, _ := v.AsString()
		raw, ok := v.AsBytes()
		if !ok {
			raw = append([]byte(text), make([]byte, p.Length-len(text))...)
		}
		for i := range (p.Length + 1) / 2 {
			var pair [2]byte
			copy(pair[:], raw[2*i:])
			dev.SetHolding(a.Offset+uint16(i), uint16(pair[swap(p)])<<8|uint16(pair[1-swap(p)]))
		}
		return nil
	}
	var n uint64
	switch f, _ := v.AsFloat(); p.Type {
	case tag.TypeFloat32:
		n = uint64(math.Float32bits(float32(f)))
	case tag.TypeFloat64:
		n = math.Float64bits(f)
	default:
		u, ok := v.AsUint()
		if i, isInt := v.AsInt(); !ok && isInt {
			u = uint64(i)
		}
		n = u
		if p.Type == tag.TypeBCD16 || p.Type == tag.TypeBCD32 {
			if _, err := fmt.Sscanf(fmt.Sprint(u), "%x", &n); err != nil {
				return err
			}
		}
	}
	plain := make([]byte, 8)
	binary.BigEndian.PutUint64(plain, n)
	plain = plain[8-size(p.Type):]
	raw := make([]byte, len(plain))
	for i, at := range wire(p.Order, len(raw)) {
		raw[at] = plain[i]
	}
	for i := range len(raw) / 2 {
		dev.SetHolding(a.Offset+uint16(i), binary.BigEndian.Uint16(raw[2*i:]))
	}
	return nil
}
