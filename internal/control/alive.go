package control

import (
	"net/http"
	"sync"
	"time"

	"holdfast/internal/control/wire"
)

// signTime is the time between two signs of life, for who waits for an answer.
// A client gives up after several of them.
const signTime = time.Second

// whileAlive runs f, and calls sign again and again meanwhile: never while f is
// in quiet, nor when whileAlive has returned.
func whileAlive(sign func(), f func(quiet sync.Locker)) {
	var mu sync.Mutex
	over := false
	var t *time.Timer
	mu.Lock()
	t = time.AfterFunc(signTime, func() {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			sign()
			t.Reset(signTime)
		}
	})
	mu.Unlock()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		t.Stop()
	}()
	f(&mu)
}

// processing tells the peer that its answer is being worked on (RFC 2518, 10.1).
func processing(w http.ResponseWriter) func() {
	return func() { w.WriteHeader(http.StatusProcessing) }
}

// tooLate refuses an act that its sender has given up before it was begun: this
// process was stopped, or had no processor for too long.
func tooLate(r *http.Request, now time.Time) error {
	text := r.Header.Get(wire.HeaderBeginBefore)
	if text == "" {
		return nil
	}
	until, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return badRequest("%s is %q, not an RFC 3339 time", wire.HeaderBeginBefore, text)
	}
	if now.After(until) {
		return &wire.Error{Code: wire.TryAgain, Message: "the request came to its turn at " + now.UTC().Format(time.RFC3339) +
			", later than its sender waits; nothing was done"}
	}
	return nil
}
