package scheduler

import (
	"math/rand/v2"
	"sync"
	"testing"
)

func has(t *Seat) bool {
	select {
	case <-t.Turn():
		return true
	default:
		return false
	}
}

// turns returns which of the seats have had their turn.
func turns(seats []*Seat) string {
	b := make([]byte, len(seats))
	for i, t := range seats {
		b[i] = '-'
		if has(t) {
			b[i] = 'x'
		}
	}
	return string(b)
}

// Turns come in the order of entering; a parked run makes room, and comes back
// at once; one that leaves makes room, wherever it is.
func TestTurns(t *testing.T) {
	t.Parallel()
	s := New(2)
	var seats []*Seat
	for range 6 {
		seats = append(seats, s.Enter())
	}
	for i, c := range []struct {
		do     func()
		turns  string
		counts Counts
	}{
		{func() {}, "xx----", Counts{4, 2, 0, 0}},
		{func() { seats[0].Park(Held) }, "xxx---", Counts{3, 2, 0, 1}},
		{func() { seats[0].Park(Parked) }, "xxx---", Counts{3, 2, 0, 1}}, // it has no worker to give
		{func() { seats[0].Resume() }, "xxx---", Counts{3, 3, 0, 0}},
		{func() { seats[1].Leave() }, "xxx---", Counts{3, 2, 0, 0}}, // one more than there are workers was at work
		{func() { seats[3].Leave() }, "xxx---", Counts{2, 2, 0, 0}},
		{func() { seats[2].Park(Parked) }, "xxx-x-", Counts{1, 2, 1, 0}},
		{func() { seats[5].Park(Held); seats[5].Resume() }, "xxx-x-", Counts{1, 2, 1, 0}}, // its turn has not come
		{func() { seats[2].Leave(); seats[2].Leave(); seats[1].Leave() }, "xxx-x-", Counts{1, 2, 0, 0}},
		{func() { seats[0].Leave() }, "xxx-xx", Counts{0, 2, 0, 0}},
		{func() { seats[4].Leave(); seats[5].Leave() }, "xxx-xx", Counts{}},
	} {
		c.do()
		if got := turns(seats); got != c.turns || s.Counts() != c.counts {
			t.Fatalf("%d: turns %s, %+v; %s, %+v expected", i, got, s.Counts(), c.turns, c.counts)
		}
	}
}

// However runs enter, park, resume and leave: no worker is idle while somebody
// waits, nobody begins while all are taken, and in the end none is lost.
func TestNoWorkerIsLost(t *testing.T) {
	t.Parallel()
	const workers = 3
	s := New(workers)
	var wg sync.WaitGroup
	for n := range 200 {
		rng := rand.New(rand.NewPCG(1, uint64(n)))
		wg.Go(func() {
			seat := s.Enter()
			defer seat.Leave()
			if rng.IntN(5) == 0 {
				return // ended while it waited
			}
			<-seat.Turn()
			for range rng.IntN(5) {
				seat.Park([]State{Parked, Held}[rng.IntN(2)])
				if c := s.Counts(); c.Waiting > 0 && c.Executing < workers {
					t.Errorf("a worker is idle: %+v", c)
				}
				seat.Resume()
			}
		})
	}
	wg.Wait()
	if c := s.Counts(); c != (Counts{}) {
		t.Errorf("left over: %+v", c)
	}
}
