package gateway

import (
	"context"
	"slices"

	"holdfast/gateway/tag"
)

// Watch delivers what the image has of the tags and then every new sample,
// also one whose value is the same. There is one slot per tag: a reader that
// is slow sees the newest sample and never those between. It never delays a
// link. The channel closes when ctx ends or the gateway has stopped.
//
// A subscribed device tells nothing while nothing changes: who needs a sample
// younger than a certain moment calls Read. The error is a *tag.Refusal of a
// path that is not in the table.
func (g *Gateway) Watch(ctx context.Context, paths ...tag.Path) (<-chan tag.Update, error) {
	w := &watcher{g: g, wake: make(chan struct{}, 1), out: make(chan tag.Update)}
	seen := make(map[*entry]bool, len(paths))
	for _, p := range paths {
		e, err := g.find(p)
		if err != nil {
			return nil, err
		}
		if !seen[e] {
			seen[e] = true
			w.slots = append(w.slots, &slot{w: w, tag: e})
		}
	}
	w.queue = make([]*slot, len(w.slots))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		close(w.out)
		return w.out, nil
	}
	for _, s := range w.slots {
		c := &g.cells[s.tag.number]
		c.slots = append(c.slots, s)
		if !c.sample.Received.IsZero() && !c.dirty {
			s.put(c.update(s.tag))
		}
	}
	g.watchers.Go(func() { w.run(ctx) })
	return w.out, nil
}

// watcher carries the updates of one Watch. Its queue and slots are guarded by Gateway.mu.
type watcher struct {
	g     *Gateway
	wake  chan struct{} // holds one token after a slot was filled
	out   chan tag.Update
	slots []*slot
	queue []*slot // a ring of the slots that are full, oldest first
	head  int
	full  int
}

// slot holds the newest update of one tag that its watcher has not delivered.
type slot struct {
	w      *watcher
	tag    *entry
	update tag.Update
	count  uint64 // of the updates put in so far
	queued bool
}

func (s *slot) put(u tag.Update) {
	s.update = u
	s.count++
	if !s.queued {
		s.w.push(s)
	}
	select {
	case s.w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

func (w *watcher) push(s *slot) {
	s.queued = true
	w.queue[(w.head+w.full)%len(w.queue)] = s
	w.full++
}

// front returns the slot that is next and what it holds now; nil if all are empty.
func (w *watcher) front() (*slot, tag.Update, uint64) {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	if w.full == 0 {
		return nil, tag.Update{}, 0
	}
	s := w.queue[w.head]
	return s, s.update, s.count
}

// delivered empties the front slot s, or puts it last if it was filled again after count.
func (w *watcher) delivered(s *slot, count uint64) {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	w.head = (w.head + 1) % len(w.queue)
	w.full--
	s.queued = false
	if s.count != count {
		w.push(s)
	}
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.out)
	defer w.leave()
	for ctx.Err() == nil {
		s, u, count := w.front()
		out := w.out
		if s == nil {
			out = nil
		}
		select {
		case out <- u:
			w.delivered(s, count)
		case <-w.wake: // newer than u, perhaps
		case <-ctx.Done():
		case <-w.g.done:
			return
		}
	}
}

// leave takes the watcher's slots out of the image.
func (w *watcher) leave() {
	w.g.mu.Lock()
	defer w.g.mu.Unlock()
	for _, s := range w.slots {
		c := &w.g.cells[s.tag.number]
		c.slots = slices.DeleteFunc(c.slots, func(other *slot) bool { return other == s })
	}
}
