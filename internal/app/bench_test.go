package app

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"holdfast/engine/value"
	"holdfast/internal/client"
	"holdfast/internal/control/wire"
)

// BenchmarkCollector runs b.N durable steps in 64 runs of a daemon, and measures
// how often the collector runs meanwhile: with Go's own goal, and with the floor.
func BenchmarkCollector(b *testing.B) {
	for _, c := range []struct{ name, gogc string }{{"GOGC=100", "100"}, {"floor", ""}} {
		b.Run(c.name, func(b *testing.B) {
			b.Setenv("GOGC", c.gogc)
			path := folder(b, simple)
			workflowFile(b, path, "load.star", "@workflow\ndef writes(n):\n    for i in range(n):\n        tags.write(\"a\", i % 1000)\n")
			ctx, stop := context.WithCancel(b.Context())
			defer stop()
			ready, done := make(chan struct{}), make(chan error, 1)
			go func() {
				done <- Serve(ctx, Options{ConfigPath: path, Stderr: io.Discard, Ready: func(*Status) { close(ready) }})
			}()
			select {
			case <-ready:
			case err := <-done:
				b.Fatal(err)
			}
			const runs = 64
			each := (b.N + runs - 1) / runs
			_, _, before := collector()
			b.ResetTimer()
			drive(b, filepath.Join(filepath.Dir(path), "s"), runs, each)
			b.StopTimer()
			_, _, after := collector()
			b.ReportMetric(float64(after-before)/b.Elapsed().Seconds(), "collections/s")
			b.ReportMetric(float64(each*runs)/b.Elapsed().Seconds(), "steps/s")
			stop()
			if err := <-done; err != nil {
				b.Error(err)
			}
		})
	}
}

// drive starts runs of the workflow writes, with so many steps each, and waits for their end.
func drive(b *testing.B, socket string, runs, each int) {
	b.Helper()
	in, err := value.Encode(value.NewMap("n", each))
	if err != nil {
		b.Fatal(err)
	}
	c := client.New(socket)
	var ids []string
	for range runs {
		st, err := c.Start(b.Context(), wire.Start{Workflow: "writes", Inputs: wire.Value(in)})
		if err != nil {
			b.Fatal(err)
		}
		ids = append(ids, st.ID)
	}
	for _, id := range ids {
		if err := c.Follow(b.Context(), id, func(wire.Line) error { return nil }); err != nil {
			b.Fatal(err)
		}
		if info, err := c.Show(b.Context(), id); err != nil || info.Error != nil {
			b.Fatalf("%+v, %v", info.Error, err)
		}
	}
}
