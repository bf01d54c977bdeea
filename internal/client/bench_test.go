package client_test

import (
	"fmt"
	"testing"

	"holdfast/engine/value"
	"holdfast/internal/client"
	"holdfast/internal/control/controltest"
	"holdfast/internal/control/wire"
)

// BenchmarkStartWithManyInputs starts runs with more and more inputs, over the
// socket: the time an input takes is to stay the same.
func BenchmarkStartWithManyInputs(b *testing.B) {
	d := controltest.Start(b, nil)
	c := client.New(d.Socket)
	for _, n := range []int{100, 10_000, 50_000} {
		m := &value.Map{}
		for i := range n {
			m.Pairs = append(m.Pairs, value.Pair{Key: fmt.Sprintf("k%06d", i), Value: int64(i)})
		}
		inputs, err := value.Encode(m)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("inputs=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Start(b.Context(), wire.Start{Workflow: "test.odd", Inputs: wire.Value(inputs)}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/input")
		})
	}
}
