package modbus_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"holdfast/drivers/drivertest"
	"holdfast/drivers/modbus"
	"holdfast/drivers/modbus/modbustest"
	"holdfast/gateway/tag"
)

// connect makes a driver for items, connected, with a timeout that no case waits for.
func connect(tb testing.TB, cfg modbus.Config, items []tag.Item) *modbus.Driver {
	tb.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	d, err := modbus.New(cfg, items)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	if err := d.Connect(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return d
}

// registers makes items for n holding registers from 0 on.
func registers(n int) []tag.Item {
	items := make([]tag.Item, n)
	for i := range items {
		items[i] = tag.Item{Handle: i, Path: tag.Path(fmt.Sprintf("r/%d", i)), Address: fmt.Sprintf("holding:%d", i), Type: tag.TypeUint16, Write: true}
	}
	return items
}

func mustRead(tb testing.TB, d *modbus.Driver, items []tag.Item) []tag.Sample {
	tb.Helper()
	samples, err := d.Read(tb.Context(), items)
	if err != nil {
		tb.Fatal(err)
	}
	return samples
}

func mustWrite(tb testing.TB, d *modbus.Driver, writes ...tag.Write) []tag.Outcome {
	tb.Helper()
	outcomes, err := d.Write(tb.Context(), writes)
	if err != nil {
		tb.Fatal(err)
	}
	return outcomes
}

// TestReadOnly reads what the conformance suite cannot write.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	dev.SetInput(4, 0xFFFF, 0x8001, 0x009A)
	dev.SetDiscrete(9, true, false, true)
	dev.SetHolding(20, 0x0008)
	var items []tag.Item
	want := []tag.Value{
		tag.Int(-1), tag.Bool(true), tag.Bool(false), tag.None(), tag.Bool(true), tag.Bool(false), tag.Bool(true), tag.Bool(true),
	}
	for i, it := range []tag.Item{
		{Address: "input:4", Type: tag.TypeInt16}, {Address: "input:5.0", Type: tag.TypeBool}, {Address: "input:5.14", Type: tag.TypeBool},
		{Address: "input:6", Type: tag.TypeBCD16},
		{Address: "discrete:9", Type: tag.TypeBool}, {Address: "10011"}, {Address: "discrete:11", Type: tag.TypeBool},
		{Address: "holding:20.3", Type: tag.TypeBool},
	} {
		it.Handle, it.Path = i, tag.Path(it.Address)
		items = append(items, it)
	}
	d := connect(t, modbus.Config{URL: dev.URL()}, items)
	for i, s := range mustRead(t, d, items) {
		status := tag.Good
		if want[i].IsNone() {
			status = tag.BadDecodingError // 0x009A is not decimal
		}
		if !s.Value.Equal(want[i]) || s.Status != status {
			t.Errorf("%s reads %v, %v; want %v, %v", items[i].Address, s.Value, s.Status, want[i], status)
		}
	}
	if n := dev.Requests(); n != 3 {
		t.Errorf("%d requests for three tables", n)
	}
	for _, it := range items {
		for _, o := range mustWrite(t, d, tag.Write{Item: it, Value: tag.Bool(true)}) {
			if o.Result != tag.Rejected || o.Status != tag.BadNotWritable {
				t.Errorf("write to %s: %v %v %s", it.Address, o.Result, o.Status, o.Detail)
			}
		}
	}
	if w := dev.Writes(); len(w) != 0 {
		t.Errorf("the device got %v", w)
	}
}

// TestExceptions has the device refuse with each code.
func TestExceptions(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	items := registers(1)
	d := connect(t, modbus.Config{URL: dev.URL()}, items)
	for _, c := range []struct {
		code        modbustest.Exception
		read, write tag.StatusCode
		result      tag.Result
		detail      string
	}{
		{1, tag.BadNotSupported, tag.BadNotSupported, tag.Rejected, "Modbus exception 1, illegal function"},
		{2, tag.BadNodeIdUnknown, tag.BadNodeIdUnknown, tag.Rejected, "Modbus exception 2, illegal data address"},
		{3, tag.BadOutOfRange, tag.BadOutOfRange, tag.Rejected, "Modbus exception 3, illegal data value"},
		{4, tag.BadDeviceFailure, tag.BadDeviceFailure, tag.Unknown, "Modbus exception 4, server device failure"},
		{5, tag.BadWaitingForInitialData, tag.GoodCompletesAsync, tag.Unknown, "Modbus exception 5, acknowledge: the device is still working on it"},
		{6, tag.BadResourceUnavailable, tag.BadResourceUnavailable, tag.Rejected, "Modbus exception 6, server device busy"},
		{8, tag.BadDeviceFailure, tag.BadDeviceFailure, tag.Unknown, "Modbus exception 8, memory parity error"},
		{10, tag.BadNoCommunication, tag.BadNoCommunication, tag.Rejected, "Modbus exception 10, gateway path unavailable"},
		{11, tag.BadTimeout, tag.BadTimeout, tag.Unknown, "Modbus exception 11, gateway target device failed to respond"},
	} {
		dev.RefuseReads(modbustest.TableHolding, 0, c.code)
		dev.RefuseWrites(modbustest.TableHolding, 0, c.code)
		if s := mustRead(t, d, items)[0]; s.Status != c.read || !s.Value.IsNone() {
			t.Errorf("exception %d: read is %v, %v; want %v", c.code, s.Value, s.Status, c.read)
		}
		o := mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(1)})[0]
		if o.Result != c.result || o.Status != c.write || o.Detail != c.detail {
			t.Errorf("exception %d: write is %v %v %q; want %v %v %q", c.code, o.Result, o.Status, o.Detail, c.result, c.write, c.detail)
		}
		dev.Allow(modbustest.TableHolding, 0)
		_, err := d.Read(t.Context(), items)
		if lost := errors.Is(err, tag.ErrNotConnected); lost != (c.result == tag.Unknown) {
			t.Errorf("exception %d: Read after it says %v", c.code, err)
		}
		if err != nil {
			if err := d.Connect(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestBlockSplit has the device refuse one register of a block.
func TestBlockSplit(t *testing.T) {
	t.Parallel()
	for _, code := range []modbustest.Exception{modbustest.IllegalDataAddress, modbustest.IllegalDataValue} {
		dev := listen(t)
		items := registers(100)
		d := connect(t, modbus.Config{URL: dev.URL()}, items)
		const refused = 37
		dev.RefuseReads(modbustest.TableHolding, refused, code)
		var counts []int64
		for scan := range 3 {
			before := dev.Requests()
			for i := range items {
				dev.SetHolding(uint16(i), uint16(1000*scan+i))
			}
			for i, s := range mustRead(t, d, items) {
				if i == refused {
					if !s.Status.IsBad() {
						t.Errorf("refused register reads %v, %v", s.Value, s.Status)
					}
				} else if !s.Status.IsGood() || !s.Value.Equal(tag.Int(int64(1000*scan+i))) {
					t.Errorf("scan %d: register %d reads %v, %v", scan, i, s.Value, s.Status)
				}
			}
			counts = append(counts, dev.Requests()-before)
		}
		// Halving 100 down to one takes seven refusals; eight blocks are left.
		if counts[0] > 16 || counts[1] > 9 || counts[2] != counts[1] {
			t.Errorf("exception %d: scans took %v requests", code, counts)
		}
		dev.Allow(modbustest.TableHolding, refused)
		if err := d.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := dev.Requests()
		mustRead(t, d, items)
		if n := dev.Requests() - before; n != 1 {
			t.Errorf("after a new Connect a scan takes %d requests, not one", n)
		}
	}
}

// TestNoSplit has the device refuse a block by an exception that is not about a part of it.
func TestNoSplit(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	items := registers(10)
	d := connect(t, modbus.Config{URL: dev.URL()}, items)
	dev.RefuseReads(modbustest.TableHolding, 5, modbustest.ServerDeviceBusy)
	for i, s := range mustRead(t, d, items) {
		if s.Status != tag.BadResourceUnavailable {
			t.Errorf("register %d: %v", i, s.Status)
		}
	}
	if n := dev.Requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestUnitAndFunctions looks at what arrives.
func TestUnitAndFunctions(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	items := []tag.Item{
		{Handle: 0, Path: "a", Address: "holding:10", Type: tag.TypeUint32, Write: true},
		{Handle: 1, Path: "b", Address: "coil:3", Type: tag.TypeBool, Write: true},
		{Handle: 2, Path: "c", Address: "holding:12", Type: tag.TypeUint32, Order: tag.ABCD, Write: true},
	}
	d := connect(t, modbus.Config{URL: dev.URL(), UnitID: 7, Order: tag.CDAB}, items)
	mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(0x00010002)}, tag.Write{Item: items[1], Value: tag.Bool(true)},
		tag.Write{Item: items[2], Value: tag.Int(0x00010002)})
	var got []string
	for _, w := range dev.Writes() {
		got = append(got, fmt.Sprint(w.Unit, w.Table, w.Addr, w.Values))
	}
	want := []string{fmt.Sprint(uint8(7), "holding", uint16(10), []uint16{2, 1}), fmt.Sprint(uint8(7), "coil", uint16(3), []uint16{1}),
		fmt.Sprint(uint8(7), "holding", uint16(12), []uint16{1, 2})}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the device got %v; want %v", got, want)
	}
}

func TestForeignItem(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	dev.SetHolding(0, 7)
	items := registers(1)
	d := connect(t, modbus.Config{URL: dev.URL()}, items)
	foreign := tag.Item{Handle: 5, Path: "x", Address: "holding:5", Type: tag.TypeUint16}
	samples := mustRead(t, d, []tag.Item{foreign, items[0], {Handle: -1}})
	if samples[0].Status != tag.BadConfigurationError || samples[2].Status != tag.BadConfigurationError || !samples[1].Value.Equal(tag.Int(7)) {
		t.Errorf("samples are %v", samples)
	}
	if o := mustWrite(t, d, tag.Write{Item: foreign, Value: tag.Int(1)})[0]; o.Result != tag.Rejected || o.Status != tag.BadConfigurationError {
		t.Errorf("outcome is %v", o)
	}
}

// TestManySlices reads more lists of items than plans are kept.
func TestManySlices(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	dev.SetHolding(0, 10, 11, 12)
	items := registers(3)
	d := connect(t, modbus.Config{URL: dev.URL()}, items)
	for i := range 500 {
		list := []tag.Item{items[i%3], items[(i+1)%3]}
		for j, s := range mustRead(t, d, list) {
			if !s.Value.Equal(tag.Int(int64(10 + list[j].Handle))) {
				t.Fatalf("register %d reads %v", list[j].Handle, s.Value)
			}
		}
	}
}

// TestDelayBetween counts only that the pauses are there.
func TestDelayBetween(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	items := registers(4)
	const pause = 20 * time.Millisecond
	d := connect(t, modbus.Config{URL: dev.URL(), MaxRegisters: 1, DelayBetween: pause}, items)
	start := time.Now()
	mustRead(t, d, items)
	mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(1)})
	if took := time.Since(start); took < 4*pause {
		t.Errorf("five requests with %v between them took %v", pause, took)
	}
}

// requested waits until the device has had n requests.
func requested(t *testing.T, dev *modbustest.Device, n int64) {
	t.Helper()
	until(t, fmt.Sprintf("the device has had %d requests", n), func() bool { return dev.Requests() >= n })
}

// until waits until something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("after 10 s it is not so that %s", what)
		}
	}
}

// TestEndedBetweenRequests ends calls that wait for their next request, by ctx
// and by Close.
func TestEndedBetweenRequests(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"cancel", "close"} {
		dev := listen(t)
		items := registers(2)
		d := connect(t, modbus.Config{URL: dev.URL(), MaxRegisters: 1, DelayBetween: time.Hour}, items)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			samples, err := d.Read(ctx, items)
			if err == nil || len(samples) != 2 || !samples[0].Status.IsGood() || samples[1].Status != tag.BadTimeout {
				t.Errorf("%s: Read returned %v, %v", how, samples, err)
			}
		}()
		requested(t, dev, 1)
		lost := false
		if how == "cancel" {
			cancel()
		} else {
			lost = true
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		<-ended
		cancel()
		if _, err := d.Read(ctx, items); errors.Is(err, tag.ErrNotConnected) != lost || err == nil {
			t.Errorf("%s: Read after it: %v", how, err)
		}
	}
}

// TestWriteCancelled cancels between two writes: the first stands, the second was not sent.
func TestWriteCancelled(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	items := registers(2)
	d := connect(t, modbus.Config{URL: dev.URL()}, items)
	ctx, cancel := context.WithCancel(t.Context())
	dev.OnWrite(func(string, uint16, []uint16) { cancel() })
	outcomes, err := d.Write(ctx, []tag.Write{{Item: items[0], Value: tag.Int(1)}, {Item: items[1], Value: tag.Int(2)}})
	if err != nil || outcomes[0].Result != tag.Accepted || outcomes[1].Result != tag.Rejected || outcomes[1].Detail != "not sent: context canceled" {
		t.Errorf("Write returned %v, %v", outcomes, err)
	}
	if v := dev.Holding(1); v != 0 {
		t.Errorf("the second register is %d", v)
	}
	mustRead(t, d, items) // the link is up
}

// TestAfterUnknown holds that nothing is sent after a write without an answer.
func TestAfterUnknown(t *testing.T) {
	t.Parallel()
	dev := listen(t)
	proxy, err := drivertest.NewProxy(dev.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	items := registers(2)
	d := connect(t, modbus.Config{URL: "tcp://" + proxy.Addr(), Timeout: 100 * time.Millisecond}, items)
	proxy.DropAnswers()
	os := mustWrite(t, d, tag.Write{Item: items[0], Value: tag.Int(1)}, tag.Write{Item: items[1], Value: tag.Int(2)})
	if os[0].Result != tag.Unknown || os[0].Status != tag.BadTimeout || os[0].Detail != "sent, no answer: request timed out" {
		t.Errorf("the first write is %v", os[0])
	}
	if os[1].Result != tag.Rejected || os[1].Status != tag.BadNotConnected {
		t.Errorf("the second write is %v", os[1])
	}
	if w := dev.Writes(); len(w) != 1 {
		t.Errorf("the device got %v", w)
	}
}
