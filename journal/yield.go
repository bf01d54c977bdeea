package journal

import "time"

// backlog is how many ended runs may wait before those who wait for the disk no
// longer go first.
const backlog = 2048

// waited reports whether somebody waits for a commit.
func (q *queue) waited() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.leading || q.filling.barriers > 0
}

// rest is called between slices of work. While somebody waits for a commit, the
// mover rests for a multiple of the time that it worked: 16 times when little
// waits to be moved, and the less the more there is, so that the live file does
// not grow for ever.
func (m *mover) rest() {
	worked := time.Since(m.since)
	if worked < time.Millisecond {
		return // a slice so short is not worth a timer
	}
	times := 16 - 16*m.ended.n.Load()/backlog
	if times > 0 && m.j.q.waited() {
		pause := time.NewTimer(time.Duration(times) * min(worked, 20*time.Millisecond))
		select {
		case <-pause.C:
		case <-m.stop:
			pause.Stop()
		}
	}
	m.since = time.Now()
}
