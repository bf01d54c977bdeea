package drivertest

import (
	"testing"

	"holdfast/gateway/tag"
)

func writeCases() []testCase {
	return []testCase{
		{"write each type", testWriteTypes},
		{"write in order", testWriteOrder},
		{"write what does not fit", testMisfits},
	}
}

func testWriteTypes(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	for i, p := range d.Points {
		for _, v := range p.values() {
			o := mustWrite(t, d, drv, []tag.Write{{Item: is[i], Value: v}})[0]
			if o.Result != tag.Accepted || !o.Status.IsGood() {
				t.Errorf("write of %v to %s (%v): %v %v %s; want accepted", v, p.Address, p.Type, o.Result, o.Status, o.Detail)
				continue
			}
			if got := get(t, d, p); !got.Equal(v) {
				t.Errorf("after a write of %v the device has %v at %s (%v)", v, got, p.Address, p.Type)
			}
			expectGood(t, p, mustRead(t, d, drv, is)[i], v)
		}
	}
}

// testWriteOrder writes several values to each point in one call: the last one
// stays, and the neighbours keep theirs.
func testWriteOrder(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	var ws []tag.Write
	for round := range 4 {
		for i, p := range d.Points {
			ws = append(ws, tag.Write{Item: is[i], Value: p.value(i + round)})
		}
	}
	for j, o := range mustWrite(t, d, drv, ws) {
		if o.Result != tag.Accepted {
			t.Errorf("write %d, %v to %s: %v %v %s", j, ws[j].Value, ws[j].Item.Address, o.Result, o.Status, o.Detail)
		}
	}
	for i, p := range d.Points {
		if got := get(t, d, p); !got.Equal(p.value(i + 3)) {
			t.Errorf("the device has %v at %s; the last write was %v", got, p.Address, p.value(i+3))
		}
	}
}

// testMisfits hands the driver what the gateway's coercion never lets through.
func testMisfits(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	for i, p := range d.Points {
		set(t, d, p, p.value(0))
		for _, v := range p.misfits() {
			ws := []tag.Write{{Item: is[i], Value: v}, {Item: is[i], Value: p.value(1)}}
			os := mustWrite(t, d, drv, ws)
			if os[0].Result != tag.Rejected || !os[0].Status.IsBad() {
				t.Errorf("write of %v to %s (%v): %v %v; want rejected", v, p.Address, p.Type, os[0].Result, os[0].Status)
			}
			if os[1].Result != tag.Accepted {
				t.Errorf("write of %v after one that was refused: %v %v %s", p.value(1), os[1].Result, os[1].Status, os[1].Detail)
			}
		}
		if got := get(t, d, p); !got.Equal(p.value(1)) {
			t.Errorf("the device has %v at %s; want %v", got, p.Address, p.value(1))
		}
	}
}

// missingCases need a place that the device has not.
func missingCases() []testCase {
	return []testCase{
		{"read a missing address", testReadMissing},
		{"write a missing address", testWriteMissing},
	}
}

// withMissing puts the missing point between the others.
func withMissing(d Device) (points []Point, at int) {
	at = len(d.Points) / 2
	points = append(points, d.Points[:at]...)
	points = append(points, *d.Missing)
	return append(points, d.Points[at:]...), at
}

func testReadMissing(t *testing.T, d Device) {
	points, at := withMissing(d)
	is := items(points)
	drv := connected(t, d, is)
	for round := range 3 { // the driver learns in the first round, and must not forget the rest
		for i, p := range points {
			if i != at {
				set(t, d, p, p.value(round))
			}
		}
		for i, s := range mustRead(t, d, drv, is) {
			if i != at {
				expectGood(t, points[i], s, points[i].value(round))
			} else if !s.Status.IsBad() || !s.Value.IsNone() {
				t.Errorf("the missing %s reads %v, %v; want a bad status", points[i].Address, s.Value, s.Status)
			}
		}
	}
	if s := mustRead(t, d, drv, is[at:at+1])[0]; !s.Status.IsBad() {
		t.Errorf("the missing %s, read alone, is %v, %v", points[at].Address, s.Value, s.Status)
	}
}

func testWriteMissing(t *testing.T, d Device) {
	points, at := withMissing(d)
	is := items(points)
	drv := connected(t, d, is)
	ws := make([]tag.Write, len(points))
	for i, p := range points {
		ws[i] = tag.Write{Item: is[i], Value: p.value(1)}
		if i != at {
			set(t, d, p, p.value(0))
		}
	}
	for i, o := range mustWrite(t, d, drv, ws) {
		want := tag.Accepted
		if i == at {
			want = tag.Rejected
		} else if got := get(t, d, points[i]); !got.Equal(points[i].value(1)) {
			t.Errorf("the device has %v at %s; want %v", got, points[i].Address, points[i].value(1))
		}
		if o.Result != want || o.Status.IsBad() != (want == tag.Rejected) {
			t.Errorf("write to %s: %v %v %s; want %v", points[i].Address, o.Result, o.Status, o.Detail, want)
		}
	}
}

func testRefused(t *testing.T, d Device) {
	is := items(d.Points)
	drv := connected(t, d, is)
	for i, p := range d.Points {
		set(t, d, p, p.value(0))
		undo, err := d.Refuse(p)
		if err != nil {
			t.Fatalf("cannot make the device refuse %s: %v", p.Address, err)
		}
		next := (i + 1) % len(is)
		os := mustWrite(t, d, drv, []tag.Write{
			{Item: is[i], Value: p.value(1)},
			{Item: is[next], Value: d.Points[next].value(1)},
		})
		undo()
		if os[0].Result != tag.Rejected || !os[0].Status.IsBad() {
			t.Errorf("refused write to %s: %v %v; want rejected with a bad status", p.Address, os[0].Result, os[0].Status)
		}
		if os[1].Result != tag.Accepted {
			t.Errorf("write after a refused one: %v %v %s", os[1].Result, os[1].Status, os[1].Detail)
		}
		if got := get(t, d, p); !got.Equal(p.value(0)) {
			t.Errorf("a refused write changed %s to %v", p.Address, got)
		}
	}
}
