package opcua_test

import (
	"fmt"
	"testing"
	"time"

	"holdfast/drivers/opcua"
	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

// BenchmarkRead reads 5,000 tags, in ten requests, from a server in the same
// process, whose work is measured with the driver's.
func BenchmarkRead(b *testing.B) {
	d, all := plant(b, 5000)
	b.ReportAllocs()
	for b.Loop() {
		samples, err := d.Read(b.Context(), all)
		if err != nil {
			b.Fatal(err)
		}
		if !samples[4999].Status.IsGood() {
			b.Fatal(samples[4999])
		}
	}
	b.ReportMetric(float64(b.N*len(all))/b.Elapsed().Seconds(), "values/s")
}

// BenchmarkWrite writes one value a call.
func BenchmarkWrite(b *testing.B) {
	d, all := plant(b, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		o, err := d.Write(b.Context(), []tag.Write{{Item: all[0], Value: tag.Int(int64(i & 0xFFFF))}})
		if err != nil || o[0].Result != tag.Accepted {
			b.Fatal(o, err)
		}
	}
}

func plant(b *testing.B, n int) (*opcua.Driver, []tag.Item) {
	b.Helper()
	s, err := opcuatest.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	all := make([]tag.Item, n)
	for i := range all {
		name := fmt.Sprintf("V%d", i)
		if err := s.AddVariable(name, tag.TypeInt32, i, true); err != nil {
			b.Fatal(err)
		}
		all[i] = tag.Item{Handle: i, Path: tag.Path(name), Address: s.Address(name), Period: time.Second, Write: true}
	}
	d, err := opcua.New(config(s), all)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := d.Connect(b.Context()); err != nil {
		b.Fatal(err)
	}
	return d, all
}
