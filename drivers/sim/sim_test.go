package sim

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/gateway/tag"
)

// plantOf makes a connected driver of addresses.
func plantOf(t *testing.T, typ tag.Type, addresses ...string) (*Driver, []tag.Item) {
	t.Helper()
	items := make([]tag.Item, len(addresses))
	for i, a := range addresses {
		items[i] = tag.Item{Handle: i, Path: tag.Path(a), Address: a, Type: typ}
	}
	d, err := New(items)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d, items
}

func read(t *testing.T, d *Driver, it tag.Item) tag.Value {
	t.Helper()
	samples, err := d.Read(t.Context(), []tag.Item{it})
	if err != nil {
		t.Fatal(err)
	}
	if !samples[0].Status.IsGood() {
		t.Fatalf("%s is %v", it.Address, samples[0].Status)
	}
	return samples[0].Value
}

func write(t *testing.T, d *Driver, it tag.Item, v tag.Value) {
	t.Helper()
	out, err := d.Write(t.Context(), []tag.Write{{Item: it, Value: v}})
	if err != nil || out[0].Result != tag.Accepted {
		t.Fatalf("write of %v to %s: %v, %v", v, it.Address, out, err)
	}
}

func TestBehaviours(t *testing.T) {
	t.Parallel()
	type at struct {
		after time.Duration // since the plant's start
		want  tag.Value
	}
	for _, c := range []struct {
		address string
		typ     tag.Type
		course  []at
	}{
		{"x?ramp=0..100&period=10s", tag.TypeFloat64, []at{
			{0, tag.Float(0)}, {2500 * time.Millisecond, tag.Float(25)}, {9 * time.Second, tag.Float(90)}, {10 * time.Second, tag.Float(0)}, {35 * time.Second, tag.Float(50)}}},
		{"x?ramp=10..0", tag.TypeInt16, []at{{0, tag.Int(10)}, {1600 * time.Millisecond, tag.Int(8)}, {9900 * time.Millisecond, tag.Int(0)}}},
		{"x?sine=20..80&period=4s", tag.TypeUint8, []at{{0, tag.Int(50)}, {time.Second, tag.Int(80)}, {2 * time.Second, tag.Int(50)}, {3 * time.Second, tag.Int(20)}, {5 * time.Second, tag.Int(80)}}},
		{"x?toggle=2s", tag.TypeBool, []at{{0, tag.Bool(false)}, {1999 * time.Millisecond, tag.Bool(false)}, {2 * time.Second, tag.Bool(true)}, {4 * time.Second, tag.Bool(false)}}},
		{"x?toggle=2s&init=true", tag.TypeAny, []at{{0, tag.Bool(true)}, {3 * time.Second, tag.Bool(false)}}},
		{"x?init=7", tag.TypeAny, []at{{0, tag.Int(7)}, {time.Hour, tag.Int(7)}}},
		{"x?init=Cola%20light", tag.TypeString, []at{{0, tag.String("Cola light")}}},
		{"x?init=AQI=", tag.TypeBytes, []at{{0, tag.Bytes([]byte{1, 2})}}},
		{"x", tag.TypeBCD16, []at{{0, tag.Int(0)}}},
	} {
		t.Run(c.address, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, items := plantOf(t, c.typ, c.address)
				begin := time.Now()
				for _, p := range c.course {
					<-time.After(p.after - time.Since(begin))
					if got := read(t, d, items[0]); !got.Equal(p.want) {
						t.Errorf("after %v: %v, want %v", p.after, got, p.want)
					}
				}
			})
		})
	}
}

// An echo of an echo lags by both delays, however often its source is written.
func TestEcho(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, items := plantOf(t, tag.TypeInt32, "cmd?init=-1", "fb?echo=cmd&delay=500ms", "far?echo=fb&delay=300ms")
		begin := time.Now()
		for n := range 40 {
			write(t, d, items[0], tag.Int(int64(n)))
			for i, lag := range map[int]time.Duration{0: 0, 1: 500 * time.Millisecond, 2: 800 * time.Millisecond} {
				want := max(int64(-1), int64((time.Since(begin)-lag)/(100*time.Millisecond)))
				if time.Since(begin) < lag {
					want = -1
				}
				if got := read(t, d, items[i]); !got.Equal(tag.Int(want)) {
					t.Errorf("%s after %v is %v, want %d", items[i].Address, time.Since(begin), got, want)
				}
			}
			<-time.After(100 * time.Millisecond)
		}
		if n := len(d.plant.places["cmd"].history); n > 10 {
			t.Errorf("the plant keeps %d values of a place that is echoed over 0.8 s", n)
		}
	})
}

func TestEchoMisfit(t *testing.T) {
	t.Parallel()
	items := []tag.Item{{Handle: 0, Address: "a?init=2.5", Type: tag.TypeFloat64}, {Handle: 1, Address: "b?echo=a", Type: tag.TypeInt16}}
	d, err := New(items)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	samples, err := d.Read(t.Context(), items)
	if err != nil || samples[1].Status != tag.BadTypeMismatch {
		t.Errorf("an int16 that echoes 2.5 is %v, %v", samples, err)
	}
}

func TestWriteToBehaviour(t *testing.T) {
	t.Parallel()
	d, items := plantOf(t, tag.TypeBool, "x?toggle=1s")
	out, err := d.Write(t.Context(), []tag.Write{{Item: items[0], Value: tag.Bool(true)}})
	if err != nil || out[0].Result != tag.Rejected || out[0].Status != tag.BadNotWritable {
		t.Errorf("a write to a toggle is %v, %v", out, err)
	}
}

func TestSharedPlace(t *testing.T) {
	t.Parallel()
	d, items := plantOf(t, tag.TypeInt16, "x", "x?init=5", "x")
	for _, it := range items {
		if got := read(t, d, it); !got.Equal(tag.Int(5)) {
			t.Errorf("%s reads %v, want 5", it.Address, got)
		}
	}
	write(t, d, items[2], tag.Int(6))
	if got := read(t, d, items[0]); !got.Equal(tag.Int(6)) {
		t.Errorf("reads %v, want 6", got)
	}
}

func TestNewFaults(t *testing.T) {
	t.Parallel()
	item := func(path, address string, typ tag.Type) tag.Item {
		return tag.Item{Path: tag.Path(path), Address: address, Type: typ}
	}
	moving := item("a", "x?toggle=1s", tag.TypeBool)
	moving.Write = true
	for _, c := range []struct {
		items []tag.Item
		want  string
	}{
		{[]tag.Item{item("a", "x?", tag.TypeBool)},
			`cannot build the plant: tag a: address "x?": parameter "" is unknown, allowed are delay, echo, init, period, ramp, sine, toggle`},
		{[]tag.Item{item("a", "x", tag.TypeBool), item("b", "x", tag.TypeInt16)},
			`cannot build the plant: tag b: address "x" is a int16 here and a bool elsewhere`},
		{[]tag.Item{item("a", "x?init=1", tag.TypeInt16), item("b", "x?init=2", tag.TypeInt16)},
			`cannot build the plant: tag b: address "x" has other parameters elsewhere`},
		{[]tag.Item{item("a", "valve_cmd", tag.TypeBool), item("b", "fb?echo=valve_cdm", tag.TypeBool)},
			`cannot build the plant: address "fb" echoes "valve_cdm", and no tag has that name (did you mean "valve_cmd"?)`},
		{[]tag.Item{item("a", "x?echo=y", tag.TypeBool), item("b", "y?echo=x", tag.TypeBool)},
			`cannot build the plant: address "x" is an echo of itself`},
		{[]tag.Item{moving},
			`cannot build the plant: tag a: address "x?toggle=1s" cannot be written: the plant moves it by itself`},
	} {
		_, err := New(c.items)
		if err == nil || err.Error() != c.want {
			t.Errorf("New:\n got %v\nwant %s", err, c.want)
		}
	}
}

// A subscription tells what changed, at the item's period, and nothing else.
func TestSubscribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, items := plantOf(t, tag.TypeAny, "still?init=1", "beacon?toggle=1s")
		for i := range items {
			items[i].Period = 250 * time.Millisecond
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3100*time.Millisecond)
		defer cancel()
		told := make([]int, len(items))
		err := d.Subscribe(ctx, items, func(changes []tag.Change) {
			for _, c := range changes {
				told[c.Handle]++
			}
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Subscribe ended with %v", err)
		}
		if told[0] != 1 || told[1] != 4 {
			t.Errorf("told %v samples, want 1 of what is still and 4 of what toggles each second", told)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := d.Subscribe(t.Context(), items, nil); !errors.Is(err, tag.ErrNotConnected) {
			t.Errorf("Subscribe on a closed link: %v", err)
		}
	})
}
