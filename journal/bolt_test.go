package journal

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
)

// A range goes as a whole, also one that spans many leaves and was put in the
// same transaction.
func TestRemoveRange(t *testing.T) {
	t.Parallel()
	s, err := openBolt(filepath.Join(t.TempDir(), "x.db"), true, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	rng := rand.New(rand.NewPCG(3, 4))
	have := map[string]bool{}
	for range 60 {
		var ops []op
		for range rng.IntN(800) {
			k := fmt.Sprintf("%05d", rng.IntN(20000))
			ops = append(ops, op{opPut, []byte(k), make([]byte, rng.IntN(80))})
			have[k] = true
		}
		from, to := fmt.Sprintf("%05d", rng.IntN(20000)), fmt.Sprintf("%05d", rng.IntN(20000))
		ops = append(ops, op{opRemoveRange, []byte(from), []byte(to)})
		for k := range have {
			if from <= k && k < to {
				delete(have, k)
			}
		}
		if err := s.Commit(ops); err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := s.Scan(nil, nil, func(key, _ []byte) bool { got = append(got, string(key)); return true }); err != nil {
			t.Fatal(err)
		}
		want := make([]string, 0, len(have))
		for k := range have {
			want = append(want, k)
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("after the removal from %s to %s: %d keys, want %d", from, to, len(got), len(want))
		}
	}
}
