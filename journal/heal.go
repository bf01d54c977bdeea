package journal

import (
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
)

// reading reads the history through, page by page, while it is in use. A read
// transaction of bbolt keeps the pages of one commit as they are meanwhile.
type reading struct {
	stop chan struct{}
	done chan struct{}
}

// startReading begins; damage that it finds is then mended by the mover.
func startReading(m *mover) *reading {
	r := &reading{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		in, err := r.read(m)
		switch {
		case err != nil:
			m.j.log.Warn("the history could not be read through", "error", err)
		case len(in.faults) > 0:
			m.j.history.suspect()
		}
		m.j.history.read.Store(true)
	}()
	return r
}

// close ends it early.
func (r *reading) close() {
	close(r.stop)
	<-r.done
}

var errStopped = errors.New("stopped")

func (r *reading) read(m *mover) (in *inspection, err error) {
	h := m.j.history
	h.write.Lock() // no commit until the transaction is there
	locked := true
	unlock := func() {
		if locked {
			locked = false
			h.write.Unlock()
		}
	}
	defer unlock()
	file := h.file
	err = file.guard(func() error {
		return file.db.View(func(tx *bbolt.Tx) error {
			if in, err = newInspection(file.file, nil); err != nil {
				return err
			}
			in.r = &slowReader{f: file.file, m: m, stop: r.stop}
			in.metas()
			if len(in.faults) == 0 && in.meta.tx != uint64(tx.ID()) {
				return fmt.Errorf("its newest commit is %d, and should be %d", in.meta.tx, tx.ID())
			}
			unlock()
			in.follow()
			return nil
		})
	})
	select {
	case <-r.stop:
		return nil, errStopped
	default:
		return in, err
	}
}

// slowReader reads a file, and rests now and then while somebody waits for a
// commit.
type slowReader struct {
	f     *os.File
	m     *mover
	stop  chan struct{}
	since time.Time
}

func (r *slowReader) ReadAt(b []byte, at int64) (int, error) {
	select {
	case <-r.stop:
		return 0, errStopped
	default:
	}
	if worked := time.Since(r.since); worked > 5*time.Millisecond {
		if r.m.j.q.waited() {
			pause := time.NewTimer(8 * min(worked, 20*time.Millisecond))
			select {
			case <-pause.C:
			case <-r.stop:
				pause.Stop()
			}
		}
		r.since = time.Now()
	}
	return r.f.ReadAt(b, at)
}

// calmFor is how long the history is not read through again after nothing was
// found damaged.
const calmFor = 10 * time.Minute

// heal mends the history when something that was read of it was damaged. The
// reads of others go on meanwhile, as far as they can.
func (k *keeper) heal() error {
	j := k.m.j
	if !j.history.doubted.Load() || time.Now().Before(k.calm) {
		return nil
	}
	if k.reading != nil {
		k.reading.close()
		k.reading = nil
	}
	before := j.Report()
	if err := k.mend(); err != nil {
		return fmt.Errorf("cannot mend %s: %w", historyName, err)
	}
	k.m.mu.Lock()
	k.m.order = append(k.m.order, k.m.stuck...)
	k.m.stuck = nil
	k.m.mu.Unlock()
	if now := j.Report(); j.opts.OnDamage != nil && len(now.Sentences) > len(before.Sentences) {
		j.opts.OnDamage(now)
	}
	return nil
}

func (k *keeper) mend() error {
	h := k.m.j.history
	h.write.Lock()
	defer h.write.Unlock()
	k.drop()
	h.counted = false
	in, err := inspectFile(h.path, nil)
	switch {
	case err != nil:
	case len(in.faults) > 0:
		err = k.salvage(in)
	case h.broken():
		err = h.reopen()
	default:
		k.m.j.log.Warn("something in the history could not be read, and all of its pages are sound")
		k.calm = time.Now().Add(calmFor)
	}
	if err == nil {
		h.doubted.Store(false)
	}
	return err
}

// salvage takes what can be trusted into a new file, which takes the place of
// the damaged one.
func (k *keeper) salvage(in *inspection) error {
	j, h := k.m.j, k.m.j.history
	// A journal of the same folder, whose report holds only what is found now.
	aside := &Journal{dir: j.dir, folder: j.folder, id: j.id, opts: j.opts, log: j.log, report: Report{Clean: true}}
	if err := aside.salvage(historyName, roleHistory, j.id, in, nil, aside.mendHistory); err != nil {
		return err
	}
	if err := h.reopen(); err != nil {
		return err
	}
	told := aside.tell()
	j.reporting.Lock()
	r := &j.report
	r.Clean = false
	r.Damaged = append(r.Damaged, aside.report.Damaged...)
	r.SetAside = append(r.SetAside, aside.report.SetAside...)
	r.Sentences = append(r.Sentences, aside.report.Sentences...)
	j.reporting.Unlock()
	return told
}

// reopen opens what now lies at the path, in place of what is open. The caller
// holds write.
func (h *history) reopen() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.file
	var errs []error
	if old.broken.Load() {
		// Its lock goes with it; bbolt would wait for that in vain. Should what
		// follows fail, it stays broken, and this is done again.
		_ = old.Close()
	}
	fresh, err := openHistory(h.path, h.wrap)
	if err != nil {
		return err
	}
	if !old.broken.Load() {
		errs = append(errs, old.Close())
	}
	h.written.Add(old.pageBytes(0))
	h.file, h.over, h.base, h.next = fresh.file, fresh.over, fresh.base, fresh.next
	return errors.Join(errs...)
}
