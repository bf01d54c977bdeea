package engine

import (
	"testing"
	"time"

	"holdfast/journal"
)

// TestHeaderKeepsStopGrace sees that a run keeps how long STOP is left to its
// script, whatever the workflow says after a change.
func TestHeaderKeepsStopGrace(t *testing.T) {
	t.Parallel()
	for given, want := range map[time.Duration]time.Duration{2500 * time.Millisecond: 2500 * time.Millisecond, 0: DefaultStopGrace} {
		h := header{id: "a", workflow: "w", stopGrace: given}
		data, err := h.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeHeader(journal.Header{ID: "a", Data: data})
		if err != nil || got.stopGrace != want {
			t.Errorf("%v became %v, %v", given, got.stopGrace, err)
		}
	}
}
