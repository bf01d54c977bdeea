package scheduler

import (
	"container/list"
	"sync"
)

// State is what a run does.
type State uint8

// The states of a seat.
const (
	Waiting   State = iota // for its first turn
	Executing              // it has a worker
	Parked                 // it waits for a message or a time
	Held                   // it waits for a person
	left
)

// Counts says how many runs there are of each state.
type Counts struct{ Waiting, Executing, Parked, Held int }

// Scheduler has the workers. Its methods may be called by many goroutines.
type Scheduler struct {
	mu      sync.Mutex
	workers int
	queue   list.List // of *Seat: those that wait, the first to come in front
	counts  [left]int
}

// Seat is a run's place among the others. It belongs to the run's goroutine.
type Seat struct {
	s     *Scheduler
	state State // guarded by s.mu
	place *list.Element
	turn  chan struct{} // closed when the first turn has come
}

// New makes a Scheduler of so many workers, one or more.
func New(workers int) *Scheduler { return &Scheduler{workers: workers} }

// Enter takes a run in. It has its turn at once if a worker is free.
func (s *Scheduler) Enter() *Seat {
	t := &Seat{s: s, turn: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[Waiting]++
	t.place = s.queue.PushBack(t)
	s.admit()
	return t
}

// admit gives free workers to those that wait. The caller holds s.mu.
func (s *Scheduler) admit() {
	for s.counts[Executing] < s.workers {
		t := s.next()
		if t == nil {
			return
		}
		s.queue.Remove(t.place)
		s.move(t, Executing)
		close(t.turn)
	}
}

// next chooses among those that wait; nil: none does. The caller holds s.mu.
func (s *Scheduler) next() *Seat {
	if front := s.queue.Front(); front != nil {
		return front.Value.(*Seat)
	}
	return nil
}

// move changes a seat's state. The caller holds s.mu.
func (s *Scheduler) move(t *Seat, to State) {
	s.counts[t.state]--
	t.state = to
	if to != left {
		s.counts[to]++
	}
}

// Counts counts the runs that have entered and not left.
func (s *Scheduler) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Counts{Waiting: s.counts[Waiting], Executing: s.counts[Executing], Parked: s.counts[Parked], Held: s.counts[Held]}
}

// Turn is closed when the run's first turn has come.
func (t *Seat) Turn() <-chan struct{} { return t.turn }

// Park gives the run's worker back, as Parked or Held. Of a run that has none
// it changes nothing.
func (t *Seat) Park(as State) {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.state != Executing {
		return
	}
	s.move(t, as)
	s.admit()
}

// Resume gives a run that has parked a worker again, at once.
func (t *Seat) Resume() {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.state == Parked || t.state == Held {
		s.move(t, Executing)
	}
}

// Leave gives up the seat. It may be called more than once.
func (t *Seat) Leave() {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.state == left {
		return
	}
	if t.state == Waiting {
		s.queue.Remove(t.place)
	}
	s.move(t, left)
	s.admit()
}
