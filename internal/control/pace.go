package control

import "time"

// followPause is the time between two looks, on average, at a run that changes
// all the time. To be shown, a record has to be on disk: a follower must not make
// a run that does thousands of steps a second commit each of them.
const followPause = 100 * time.Millisecond

// followBurst is how many changes are shown without a pause after a quiet time.
const followBurst = 5

// pace is a token bucket: looks cost time, one followPause each, and a quiet
// time leaves a credit for followBurst of them. It is kept as the time up to
// which all looks are paid for. The zero value has all its credit.
type pace struct{ paid time.Time }

// next pays for a look at now, and returns how long to rest before it.
func (p *pace) next(now time.Time) time.Duration {
	if most := now.Add(-followBurst * followPause); p.paid.Before(most) {
		p.paid = most
	}
	p.paid = p.paid.Add(followPause)
	return max(0, p.paid.Sub(now))
}
