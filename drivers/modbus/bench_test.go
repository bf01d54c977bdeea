package modbus_test

import (
	"testing"

	"holdfast/drivers/modbus"
	"holdfast/gateway/tag"
)

// BenchmarkReadBlock scans 10,000 registers, each a tag, in 80 requests over loopback.
func BenchmarkReadBlock(b *testing.B) {
	dev := listen(b)
	items := registers(10_000)
	d := connect(b, modbus.Config{URL: dev.URL()}, items)
	mustRead(b, d, items)
	b.ReportAllocs()
	for b.Loop() {
		mustRead(b, d, items)
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "registers/s")
}

// BenchmarkReadOne reads one register.
func BenchmarkReadOne(b *testing.B) {
	dev := listen(b)
	items := registers(1)
	d := connect(b, modbus.Config{URL: dev.URL()}, items)
	b.ReportAllocs()
	for b.Loop() {
		mustRead(b, d, items)
	}
}

// BenchmarkWriteOne writes one register.
func BenchmarkWriteOne(b *testing.B) {
	dev := listen(b)
	items := registers(1)
	d := connect(b, modbus.Config{URL: dev.URL()}, items)
	b.ReportAllocs()
	for n := int64(0); b.Loop(); n++ {
		mustWrite(b, d, tag.Write{Item: items[0], Value: tag.Int(n % 65536)})
	}
}

// BenchmarkPlan plans a scan of 10,000 registers.
func BenchmarkPlan(b *testing.B) {
	items := registers(10_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := modbus.Plan(modbus.Config{}, items); err != nil {
			b.Fatal(err)
		}
	}
}
