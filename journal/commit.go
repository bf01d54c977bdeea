package journal

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// gatherFor bounds for how long whoever has the turn lets others run before it
// takes the queue: goroutines that the last commit woke then share this one. It
// is bounded by time, for behind goroutines that compute a single yield may take
// long.
const gatherFor = 100 * time.Microsecond

// gather waits for company while it keeps coming. After a commit of one
// Change alone there is nobody to wait for.
func (j *Journal) gather() {
	if j.company <= 1 {
		return
	}
	until := time.Now().Add(gatherFor)
	for n := j.q.gathered(); n < j.company; {
		runtime.Gosched()
		more := j.q.gathered()
		if more == n || time.Now().After(until) {
			return
		}
		n = more
	}
}

// lead commits what has gathered. The caller has the turn, and passes it on.
func (j *Journal) lead() {
	j.gather()
	b := j.q.take()
	j.company = b.barriers
	before := j.logged.stats.frameBytes.Load()
	j.scratch = j.commitBatch(b, j.scratch[:0])
	if b.barriers == 0 {
		j.stats.lazy.Add(j.logged.stats.frameBytes.Load() - before)
	}
	j.q.pass(b)
}

// commitBatch commits b in transactions within the limits and answers the
// barriers in it. It returns the scratch slice for the next call.
func (j *Journal) commitBatch(b *batch, ops []op) []op {
	buf, sizes, rest := b.buf, b.sizes, b.pending
	for len(rest) > 0 {
		n, nops, nbytes := 0, 0, 0
		for n < len(rest) {
			p := rest[n]
			if n > 0 && (nops+int(p.ops) > j.q.limits.commitOps || nbytes+int(p.bytes) > j.q.limits.commitBytes) {
				break
			}
			n, nops, nbytes = n+1, nops+int(p.ops), nbytes+int(p.bytes)
		}
		err := j.failure
		if err == nil && nops > 0 {
			ops = sealAll(ops[:0], buf[:nbytes], sizes[:nops], j.serial+1)
			err = j.write(ops, nbytes)
			clear(ops)
		}
		for _, p := range rest[:n] {
			for _, run := range p.ended {
				if err == nil {
					j.mover.add(run)
				}
			}
			if p.done != nil {
				p.done <- answer{err: err}
			}
		}
		buf, sizes, rest = buf[nbytes:], sizes[nops:], rest[n:]
	}
	return ops
}

// sealAll makes operations of encoded bytes, with serial and CRC filled in.
func sealAll(ops []op, buf []byte, sizes []opSize, serial uint64) []op {
	for _, s := range sizes {
		key := buf[:s.key:s.key]
		buf = buf[s.key:]
		value := buf[:s.value:s.value]
		buf = buf[s.value:]
		if s.kind == opPut {
			seal(key, value, serial)
		}
		ops = append(ops, op{s.kind, key, value})
	}
	return ops
}

// write commits ops. A failed commit ends the journal: it may be on disk or
// not, and only opening the file again tells. One that is too long for the log
// may find no room, which leaves nothing of it.
func (j *Journal) write(ops []op, n int) error {
	j.serial++
	err := j.live.Commit(ops)
	if errors.Is(err, ErrNoRoom) {
		j.serial = j.logged.seq.Load()
		return ErrNoRoom
	}
	if err != nil {
		j.failure = failed(err)
		j.q.mu.Lock()
		j.q.stop(j.failure)
		j.q.mu.Unlock()
		return j.failure
	}
	j.stats.commits.Add(1)
	j.stats.records.Add(int64(len(ops)))
	j.stats.bytes.Add(int64(n))
	return nil
}

// failed wraps why the journal accepts nothing more.
func failed(cause error) error { return fmt.Errorf("%w: %w", ErrFailed, cause) }
