package steps

import (
	"context"
	"sync"
	"time"

	"holdfast/engine"
	"holdfast/gateway/tag"
)

// leastPoll bounds how often a wait may ask a device.
const leastPoll = 10 * time.Millisecond

// quest is a wait for a sample.
type quest struct {
	path  tag.Path
	since time.Time     // samples taken before do not count
	limit time.Duration // how long it waits
	poll  time.Duration // the longest that it goes without a sample before it asks the device
	want  func(tag.Sample) bool
}

// follow waits for the first sample that q wants. It wakes on samples as they
// come, whoever asked for them. Without one in time it returns the newest that
// counted, or one of quality BadTimeout if none did. The error is a StepError,
// or why ctx ended.
func (q quest) follow(parent context.Context, t Tags) (last tag.Sample, found bool, err error) {
	ctx, cancel := context.WithCancel(parent)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	updates, err := t.Watch(ctx, q.path)
	if err != nil {
		return last, false, refused(parent, err)
	}
	end := time.NewTimer(q.limit)
	defer end.Stop()
	next := time.NewTimer(q.poll)
	defer next.Stop()

	type answer struct {
		sample tag.Sample
		err    error
	}
	answers := make(chan answer, 1) // never closed; one question is open at a time
	open := false
	ask := func(notBefore time.Time) {
		open = true
		next.Stop()
		asking.Go(func() {
			s, err := t.Read(ctx, q.path, notBefore)
			answers <- answer{s, err}
		})
	}
	last = tag.Sample{Status: tag.BadTimeout}
	ask(q.since)
	for {
		var s tag.Sample
		select {
		case <-parent.Done():
			return last, false, context.Cause(parent)
		case <-end.C:
			return last, false, nil
		case <-next.C:
			ask(time.Now())
			continue
		case u, ok := <-updates:
			if !ok {
				updates = nil // the gateway has stopped, reads will say so
				continue
			}
			if s = u.Sample; !u.Own.IsNone() {
				s.Value = u.Own // no deadband may hide, or feign, what is waited for
			}
			if u.Asked.Before(q.since) { // no proof, but a reason to ask
				if !open && q.want(s) {
					ask(time.Now())
				}
				continue
			}
		case got := <-answers:
			if got.err != nil {
				return last, false, refused(parent, got.err)
			}
			open, s = false, got.sample
		}
		if q.want(s) {
			return s, true, nil
		}
		last = s
		if !open {
			next.Reset(q.poll)
		}
	}
}

// pollOf returns how long a wait may go without asking the device.
func pollOf(a engine.Args) (time.Duration, error) {
	poll, err := a.Millis("poll_ms")
	if err == nil && poll == 0 {
		err = engine.Errorf("BadArgument", "poll_ms is 0, not a number of milliseconds above 0")
	}
	return max(poll, leastPoll), err
}

// left returns what is left of a time that began some while ago, also before a
// restart; no less than one poll, so that the device is asked at least once.
func left(began time.Time, whole, poll time.Duration) time.Duration {
	if whole > 0 {
		poll = min(poll, whole)
	}
	gone := max(time.Since(began), 0) // the clock may have been set back
	return max(whole-gone, poll)
}
