package opcua

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gopcua/opcua/ua"
)

func message(n uint32) *ua.NotificationMessage {
	return &ua.NotificationMessage{SequenceNumber: n, NotificationData: []*ua.ExtensionObject{nil}}
}

func alive(n uint32) *ua.NotificationMessage { return &ua.NotificationMessage{SequenceNumber: n} }

func numbers(ms []*ua.NotificationMessage) []uint32 {
	var ns []uint32
	for _, m := range ms {
		ns = append(ns, m.SequenceNumber)
	}
	return ns
}

func TestSequence(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		// Messages overtake one another within a window, over the number's turn.
		start := uint32(math.MaxUint32 - 20)
		q := sequence{last: start}
		var all []uint32
		for n, i := next(start), 0; i < 100; n, i = next(n), i+1 {
			all = append(all, n)
		}
		shuffled := slices.Clone(all)
		for i := range shuffled {
			j := min(i+r.IntN(4), len(shuffled)-1)
			shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
		}
		var got []uint32
		for _, n := range shuffled {
			ready, err := q.add(message(n))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, numbers(ready)...)
			if again, err := q.add(message(n)); err != nil || len(again) != 0 {
				t.Fatalf("message %d a second time gave %v, %v", n, numbers(again), err)
			}
		}
		if !slices.Equal(got, all) {
			t.Fatalf("passed on %v\nwant %v", got, all)
		}
	}
}

func TestSequenceGap(t *testing.T) {
	t.Parallel()
	var q sequence
	if ready, err := q.add(message(1)); err != nil || !slices.Equal(numbers(ready), []uint32{1}) {
		t.Fatal(ready, err)
	}
	var err error
	for n := uint32(3); err == nil && n < 1000; n++ {
		_, err = q.add(message(n))
	}
	if err == nil || err.Error() != "notification 2 is lost" {
		t.Errorf("without message 2: %v", err)
	}

	// Two keep-alives that agree that there was more: it will not come any more.
	q = sequence{}
	for i, m := range []*ua.NotificationMessage{message(1), alive(2), alive(2), alive(3), message(2), alive(3), alive(4)} {
		if _, err := q.add(m); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if _, err := q.add(alive(4)); err == nil || err.Error() != "notification 3 is lost" {
		t.Errorf("after two keep-alives without message 3: %v", err)
	}
}
