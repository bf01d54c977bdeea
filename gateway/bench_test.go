package gateway

import (
	"context"
	"fmt"
	"testing"
	"time"

	"holdfast/gateway/tag"
)

// BenchmarkIngest puts scans of 10,000 tags into the image, with what a plant
// has: scales, deadbands, watches. One operation is one sample.
func BenchmarkIngest(b *testing.B) {
	const tags = 10000
	for _, c := range []struct {
		name  string
		make  func(t *Tag)
		watch int
	}{
		{"plain", func(*Tag) {}, 0},
		{"scaled", func(t *Tag) { t.Scale = &tag.Scale{Factor: 0.1, Offset: -40} }, 0},
		{"scaled+deadband", func(t *Tag) { t.Scale, t.Deadband = &tag.Scale{Factor: 0.1, Offset: -40}, 0.5 }, 0},
		{"100-watches", func(*Tag) {}, 100},
	} {
		b.Run(c.name, func(b *testing.B) {
			all := make([]Tag, tags)
			for i := range all {
				all[i] = polled(tag.Path(fmt.Sprintf("line/%d", i)), time.Second)
				c.make(&all[i])
			}
			g, err := New(Config{Connections: []Connection{plc("plc", newDevice())}, Tags: table(all...)})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			for i := range c.watch {
				if _, err := g.Watch(ctx, all[i*tags/c.watch].Path); err != nil {
					b.Fatal(err)
				}
			}
			l := g.links[0]
			s := l.up()
			samples := make([]tag.Sample, tags)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; {
				now := time.Now()
				for i := range samples {
					samples[i] = tag.Sample{Value: tag.Int(int64(n + i)), Received: now}
				}
				k := min(tags, b.N-n)
				g.ingest(s, l.tags, samples[:k], now)
				n += k
			}
			b.StopTimer()
			if got := g.Links()[0].Samples; got != uint64(b.N) {
				b.Fatalf("%d samples in the image, want %d", got, b.N)
			}
		})
	}
}

// BenchmarkRead reads what the image has.
func BenchmarkRead(b *testing.B) {
	g, err := New(Config{Connections: []Connection{plc("plc", newDevice())}, Tags: table(polled("a", time.Hour))})
	if err != nil {
		b.Fatal(err)
	}
	s := g.links[0].up()
	g.ingest(s, g.links[0].tags, []tag.Sample{{Value: tag.Int(1)}}, time.Now())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Read(b.Context(), "a", time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
