package opcua_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"holdfast/drivers/drivertest"
	"holdfast/drivers/opcua"
	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway"
	"holdfast/gateway/tag"
)

// listen starts a server that the test closes at its end.
func listen(t *testing.T, opts ...opcuatest.Option) *opcuatest.Server {
	t.Helper()
	s, err := opcuatest.Listen("127.0.0.1:0", opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func add(t *testing.T, s *opcuatest.Server, name string, typ tag.Type, initial any, writable bool) {
	t.Helper()
	if err := s.AddVariable(name, typ, initial, writable); err != nil {
		t.Fatal(err)
	}
}

// nodeName returns the variable behind an address.
func nodeName(address string) string {
	_, name, _ := strings.Cut(address, ";s=")
	return name
}

func TestConformance(t *testing.T) {
	s := listen(t)
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := drivertest.NewProxy(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })

	var points []drivertest.Point
	for typ, initial := range map[tag.Type]any{
		tag.TypeBool: false, tag.TypeInt8: 0, tag.TypeUint8: 0, tag.TypeInt16: 0, tag.TypeUint16: 0, tag.TypeInt32: 0, tag.TypeUint32: 0,
		tag.TypeInt64: 0, tag.TypeUint64: 0, tag.TypeFloat32: 0, tag.TypeFloat64: 0, tag.TypeString: "", tag.TypeBytes: []byte{},
	} {
		name := "Point." + typ.String()
		add(t, s, name, typ, initial, true)
		p := drivertest.Point{Address: s.Address(name), Type: typ}
		if typ == tag.TypeString || typ == tag.TypeBytes {
			p.Length = 20
		}
		points = append(points, p)
	}
	add(t, s, "Point.any", tag.TypeAny, []int32{}, true)
	points = append(points, drivertest.Point{Address: s.Address("Point.any"), Type: tag.TypeAny, Values: []tag.Value{
		tag.List([]tag.Value{tag.Int(1), tag.Int(-2)}), tag.List([]tag.Value{tag.Int(7)}),
	}})

	drivertest.Run(t, drivertest.Device{
		New: func(items []tag.Item) (gateway.Driver, error) {
			return opcua.New(opcua.Config{
				URL: "opc.tcp://" + proxy.Addr(), ConnectTimeout: 2 * time.Second, RequestTimeout: time.Second, WatchdogSilence: 2 * time.Second,
			}, items)
		},
		Points: points,
		Get: func(p drivertest.Point) (tag.Value, error) {
			v, err := s.Get(nodeName(p.Address))
			if err != nil {
				return tag.None(), err
			}
			return fromGo(v)
		},
		Set: func(p drivertest.Point, v tag.Value) error {
			x := v.Any()
			if l, ok := v.AsList(); ok {
				ints := make([]int32, len(l))
				for i, e := range l {
					n, _ := e.AsInt()
					ints[i] = int32(n)
				}
				x = ints
			}
			return s.Set(nodeName(p.Address), x)
		},
		Missing: &drivertest.Point{Address: s.Address("Nowhere"), Type: tag.TypeInt16},
		Refuse: func(p drivertest.Point) (func(), error) {
			name := nodeName(p.Address)
			undo := func() {
				if err := s.AnswerWrites(name, tag.Good); err != nil {
					t.Error(err)
				}
			}
			return undo, s.AnswerWrites(name, tag.BadOutOfRange)
		},
		Unmonitor: func(p drivertest.Point) (func(), error) {
			s.RefuseMonitoring(badTooManyMonitoredItems, nodeName(p.Address))
			return func() { s.RefuseMonitoring(0) }, nil
		},
		Proxy:    proxy,
		Patience: 20 * time.Second,
	})
}

// fromGo is tag.FromAny with arrays of int32.
func fromGo(x any) (tag.Value, error) {
	ints, ok := x.([]int32)
	if !ok {
		return tag.FromAny(x)
	}
	l := make([]tag.Value, len(ints))
	for i, n := range ints {
		l[i] = tag.Int(int64(n))
	}
	return tag.List(l), nil
}
