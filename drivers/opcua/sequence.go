package opcua

import (
	"fmt"
	"math"

	"github.com/gopcua/opcua/ua"
)

// maxHeld is how many messages may overtake another one before that is taken
// for lost: more than the publish requests that can be answered at once.
const maxHeld = 64

// sequence puts the notification messages of a subscription in order. They
// arrive in order, but each wakes a goroutine of its own. The zero value
// awaits the first message, number 1.
type sequence struct {
	last    uint32 // number of the last message that was passed on; 0 before the first
	held    map[uint32]*ua.NotificationMessage
	awaited uint32 // the number that an earlier keep-alive gave as the next one; 0 for none
}

// next is the number after n; 0 is left out (OPC 10000-4, 7.26).
func next(n uint32) uint32 {
	if n == math.MaxUint32 {
		return 1
	}
	return n + 1
}

// add takes a message and returns those that are to be passed on now. An error
// says that one is lost.
func (q *sequence) add(m *ua.NotificationMessage) ([]*ua.NotificationMessage, error) {
	if len(m.NotificationData) == 0 {
		return nil, q.keepAlive(m.SequenceNumber)
	}
	switch n := m.SequenceNumber; {
	case q.last != 0 && n-q.last > math.MaxUint32/2:
		return nil, nil // seen before
	case n == 0:
		return nil, fmt.Errorf("the server sent a notification without a number")
	}
	if q.held == nil {
		q.held = map[uint32]*ua.NotificationMessage{}
	}
	q.held[m.SequenceNumber] = m
	var ready []*ua.NotificationMessage
	for m := q.held[next(q.last)]; m != nil; m = q.held[next(q.last)] {
		q.last = m.SequenceNumber
		delete(q.held, q.last)
		ready = append(ready, m)
	}
	if len(q.held) > maxHeld {
		return ready, fmt.Errorf("notification %d is lost", next(q.last))
	}
	return ready, nil
}

// keepAlive takes the number that the server says its next message will have.
// Those before it are on their way at most until the keep-alive after this one.
func (q *sequence) keepAlive(upcoming uint32) error {
	if q.awaited != 0 && q.awaited != next(q.last) && q.awaited-next(q.last) < math.MaxUint32/2 {
		return fmt.Errorf("notification %d is lost", next(q.last))
	}
	q.awaited = upcoming
	return nil
}
