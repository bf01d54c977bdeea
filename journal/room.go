package journal

import (
	"sync"
	"time"
)

// Where the disk is full, the log still has room: its segments are as long as
// they will ever be. What is in it cannot be carried into journal.db then, so
// that no segment becomes free. Of the one at work the last part is kept for
// Changes that are Essential; others get ErrNoRoom, and can be tried again when
// a checkpoint has gone through.

// reserveDefault is how much of a segment is kept, at most half of it.
const reserveDefault = 4 << 20

// roomState is what those who wait for room share.
type roomState struct {
	mu    sync.Mutex
	since time.Time     // when it was noticed that there is none; zero: there is
	again chan struct{} // closed when there is
}

// NoRoom says that the disk is full.
type NoRoom struct {
	Since time.Time
	Cause error
	Again <-chan struct{} // is closed when there is room
}

// Room returns nil while there is room on the disk.
func (j *Journal) Room() *NoRoom {
	if !j.logged.pressed.Load() {
		return nil
	}
	j.room.mu.Lock()
	defer j.room.mu.Unlock()
	err := j.logged.noRoom()
	if err == nil {
		return nil
	}
	if j.room.again == nil { // it has just come to be
		j.room.since, j.room.again = time.Now(), make(chan struct{})
	}
	return &NoRoom{Since: j.room.since, Cause: err, Again: j.room.again}
}

// eased is called when the log has found room, or has found that there is none.
func (j *Journal) eased() {
	if !j.logged.pressed.Load() {
		j.room.mu.Lock()
		if j.room.again != nil {
			close(j.room.again)
			j.room.again = nil
		}
		j.room.mu.Unlock()
	} else {
		j.Room()
	}
	j.q.eased()
}

// fits reports whether the log takes what has n bytes in its body, behind what
// needs queued bytes of the log; spare, whether the reserve may be used for it.
// What it lets in can be committed without a checkpoint, so that nothing that was
// accepted ever waits for room on the disk: also if all of it comes to lie in the
// next segment, where that one is free, and else in the one at work. The reserve
// is left there then. What is longer than the log takes is an exception: its
// commit may be refused, and whoever brings it waits for that.
func (j *Journal) fits(queued, n int, spare bool) fit {
	s := j.logged
	pressed := s.pressed.Load()
	switch {
	case s.jammed.Load():
		return stuck
	case n > j.longest && pressed:
		return full
	case n > j.longest:
		return fits
	}
	need := int64(queued + n + frameRoom)
	if !spare {
		need += j.reserve
	}
	switch {
	case !s.busy.Load():
		if need <= int64(s.wal.MaxBody()) {
			return fits
		}
		return soon // once the queue is through
	case need <= s.room.Load():
		return fits
	case pressed:
		return full
	}
	return soon
}
