package journal

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"
)

// history is the file of ended runs. The file can be exchanged for another of
// the same content while others read: when it is made smaller, and when it was
// damaged. Who reads in order to commit holds write, so that nothing changes
// in between.
type history struct {
	path string
	wrap func(store) store // tests: a store that fails or is slow

	mu   sync.RWMutex // held, shared, by every read and commit; alone, to exchange the file
	file *boltStore
	over store // file, or what wrap made of it: commits go there

	write   sync.Mutex
	base    uint64      // of serials: that of the format entry
	copying *compaction // what is being filled to take the file's place; nil: nothing
	serial  uint64      // of the last commit
	next    uint64      // number of the next batch
	top     uint64      // highest run number when it was looked at last

	counted  bool         // runs is right; with write
	runs     atomic.Int64 // ended runs in the file
	commits  atomic.Int64
	written  atomic.Int64 // bytes of pages, of files before
	unfolded atomic.Int64 // heads of batches, to see that lists do it once
	read     atomic.Bool  // it was read through since it was opened
	doubted  atomic.Bool  // something that was read was damaged
	doubt    func()       // is called then

	sequence func() uint64 // how far the log has come
}

// openHistory opens the file at path and looks at what everything else needs.
func openHistory(path string, wrap func(store) store) (*history, error) {
	file, err := openBolt(path, false, 0)
	if err != nil {
		return nil, err
	}
	h := &history{path: path, wrap: wrap, file: file, over: file, doubt: func() {}, sequence: func() uint64 { return 0 }}
	if wrap != nil {
		h.over = wrap(file)
	}
	if err := h.look(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// look reads what everything else needs: the format, and the newest numbers.
func (h *history) look() error {
	value, err := h.Get([]byte(keyFormat))
	if err == nil {
		_, h.base, err = unseal([]byte(keyFormat), value)
	}
	if err != nil {
		return err
	}
	if h.top, err = h.last(tableEnded); err != nil {
		return err
	}
	batch, err := h.last(tableHeads)
	h.next = batch + 1
	return err
}

// last returns the highest number in a table; 0: it is empty.
func (h *history) last(table byte) (n uint64, err error) {
	err = h.Back([]byte{table}, []byte{table + 1}, func(key, _ []byte) bool {
		n, _ = lastNumber(key, []byte{table})
		return false
	})
	return n, err
}

// seen passes err on. An error of damage calls for the history to be mended.
func (h *history) seen(err error) error {
	if err != nil && errors.Is(err, errDamaged) {
		h.suspect()
	}
	return err
}

// used is seen after a use of the file, which may have broken bbolt. The caller
// holds mu.
func (h *history) used(err error) error {
	if err != nil && h.file.broken.Load() {
		h.suspect()
	}
	return err
}

func (h *history) broken() bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.file.broken.Load()
}

// suspect calls for the history to be read through, and mended where it is damaged.
func (h *history) suspect() {
	if !h.doubted.Swap(true) {
		h.doubt()
	}
}

// Get returns a copy of the value under key, nil if there is none.
func (h *history) Get(key []byte) ([]byte, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	value, err := h.file.Get(key)
	return value, h.used(err)
}

// Scan is that of the store.
func (h *history) Scan(from, to []byte, f func(key, value []byte) bool) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.used(h.file.Scan(from, to, f))
}

// scanOne is Scan for one who takes long: neither reads nor commits wait for it.
// Should the file be exchanged meanwhile, the old one is closed after it.
func (h *history) scanOne(from, to []byte, f func(key, value []byte) bool) error {
	h.mu.RLock()
	r, err := h.file.begin()
	h.mu.RUnlock()
	if err != nil {
		return h.seen(err)
	}
	return h.seen(r.read(func(b *bbolt.Bucket) { scan(b, from, to, f) }))
}

// Back is Scan from the highest key below to downwards.
func (h *history) Back(from, to []byte, f func(key, value []byte) bool) error {
	return h.view(func(b *bbolt.Bucket) {
		c := b.Cursor()
		k, v := c.Seek(to)
		if k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		for ; k != nil && bytes.Compare(k, from) >= 0; k, v = c.Prev() {
			if !f(k, v) {
				return
			}
		}
	})
}

// view calls f with one state of the file. f must not use the history.
func (h *history) view(f func(b *bbolt.Bucket)) error {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.used(h.file.view(f))
}

// Commit commits what enc holds. The caller holds write.
func (h *history) Commit(enc *encoder) error {
	if len(enc.ops) == 0 {
		return nil
	}
	last, err := h.lastCommit()
	if err != nil {
		return err
	}
	// Grows with each commit of the file, also after another has taken its place.
	serial := h.base + last + 1
	ops := sealAll(make([]op, 0, len(enc.ops)+1), enc.buf, enc.ops, serial)
	ops = append(ops, sequenceEntry(h.sequence(), serial))
	h.mu.RLock()
	err = h.used(h.over.Commit(ops))
	h.mu.RUnlock()
	if err != nil {
		h.counted = false // it may be on disk all the same
		if h.copying != nil {
			h.copying.err = err
		}
		return err
	}
	h.serial = serial
	h.commits.Add(1)
	if h.copying != nil {
		h.copying.follow(ops)
	}
	return nil
}

// swap puts file in the place of the one that is open. The caller holds write.
func (h *history) swap(file *boltStore, base uint64) error {
	h.mu.Lock()
	old := h.file
	h.written.Add(old.pageBytes(0))
	h.file, h.over, h.base = file, file, base
	if h.wrap != nil {
		h.over = h.wrap(file)
	}
	h.mu.Unlock()
	return old.Close()
}

func (h *history) lastCommit() (uint64, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	n, err := h.file.lastCommit()
	return n, h.used(err)
}

func (h *history) pageBytes() int64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.written.Load() + h.file.pageBytes(h.commits.Load())
}

// room returns how long the file is, and how much of it is in use, in bytes.
func (h *history) room() (size, used int64, err error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	err = h.file.guard(func() error {
		return h.file.db.View(func(tx *bbolt.Tx) error {
			st := h.file.db.Stats()
			used = tx.Size() - int64(st.FreePageN+st.PendingPageN)*pageSize
			return nil
		})
	})
	return fileSize(h.path), used, err
}

func (h *history) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.file.Close()
}

// heads reads the heads of a batch; nil: there is none.
func (h *history) heads(batch uint64) (*heads, error) {
	payload, err := get(h, headsKey(batch))
	if err != nil || payload == nil {
		return nil, h.seen(err)
	}
	h.unfolded.Add(1)
	hd, err := decodeHeads(batch, payload)
	if err != nil {
		return nil, h.seen(fmt.Errorf("%s: %w", describe(headsKey(batch)), err))
	}
	return hd, nil
}

// has reports whether run is in the history.
func (h *history) has(run uint64) (bool, error) {
	value, err := h.Get(endedKey(run))
	return value != nil, err
}
