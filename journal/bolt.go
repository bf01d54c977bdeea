package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"holdfast/journal/disk"
)

const (
	// pageSize is fixed, not the operating system's, so that a file can be
	// taken to another kind of box, and be read when both metas are lost.
	pageSize = 4096

	bucketName = "holdfast"

	// fillPercent leaves little room in leaves: keys mostly grow at the end.
	fillPercent = 0.9

	// initialMmap keeps a long read from stalling the writer, which has to wait
	// for readers only when the map must grow: 1 GiB where addresses have
	// 64 bits, else 64 MiB.
	initialMmap = 64 << 20 << (^uint(0) >> 63 * 4)

	// allocSize is by how much a file grows at once.
	allocSize = 1 << 20
)

// boltStore is a store in one bucket of one bbolt file.
type boltStore struct {
	db     *bbolt.DB
	file   *os.File    // what db has open
	name   string      // of the file, for messages
	commit sync.Mutex  // one commit at a time
	sum    uint64      // see keySum; with commit
	broken atomic.Bool // bbolt has panicked, and may hold its locks for ever

	before     func(ops []op) error                         // tests: called before each commit; its error is that of the commit
	watch      func(name string, commit func() error) error // tests: carries out each commit
	beforeSync func()                                       // see Options
}

// openBolt opens path, which must exist with its bucket, or, with create, makes
// it. maxSize 0 sets no limit.
func openBolt(path string, create bool, maxSize int64) (s *boltStore, err error) {
	s = &boltStore{name: filepath.Base(path)}
	err = s.guard(func() error {
		s.db, err = bbolt.Open(path, 0o600, &bbolt.Options{
			Timeout:         time.Second,
			FreelistType:    bbolt.FreelistMapType,
			PageSize:        pageSize,
			InitialMmapSize: int(initialMmap),
			MaxSize:         int(maxSize),
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(name, flag, mode)
				s.file = f
				return f, err
			},
		})
		if errors.Is(err, berrors.ErrTimeout) {
			return fmt.Errorf("cannot open %s: %w", path, ErrLocked)
		}
		if err != nil {
			return fmt.Errorf("cannot open %s: %w", path, err)
		}
		s.db.AllocSize = allocSize
		return nil
	})
	if err != nil {
		if s.broken.Load() && s.file != nil {
			err = errors.Join(err, unlock(s.file))
		}
		return nil, err
	}
	if create {
		err = s.guard(func() error {
			return s.db.Update(func(tx *bbolt.Tx) error {
				_, err := tx.CreateBucketIfNotExists([]byte(bucketName))
				return err
			})
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cannot create %s: %w", path, err), s.Close())
		}
	}
	err = s.view(func(b *bbolt.Bucket) { s.sum, err = sumOf(b.Get([]byte(keySum))) })
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot read %s: %w", path, err), s.Close())
	}
	return s, nil
}

// guard turns a panic of bbolt, and a fault in the mapped file, into an error:
// the file was sound when it was opened, but disks fail while running, too.
func (s *boltStore) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			s.broken.Store(true)
			err = fmt.Errorf("cannot use %s: the file is damaged: %v", s.name, r)
		}
	}()
	if s.broken.Load() {
		return fmt.Errorf("cannot use %s: the file was found damaged before", s.name)
	}
	return f()
}

func (s *boltStore) Commit(ops []op) error {
	if s.before != nil {
		if err := s.before(ops); err != nil {
			return err
		}
	}
	if s.beforeSync != nil {
		s.beforeSync() // of the pages
		s.beforeSync() // of the meta page
	}
	commit := func() error { return s.update(ops) }
	if s.watch != nil {
		commit = func() error { return s.watch(s.name, func() error { return s.update(ops) }) }
	}
	if err := commit(); err != nil {
		return fmt.Errorf("cannot write %s: %w", s.name, err)
	}
	return nil
}

func (s *boltStore) update(ops []op) error {
	s.commit.Lock()
	defer s.commit.Unlock()
	sum := s.sum
	err := s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(bucketName))
			if b == nil {
				return errors.New("its bucket is gone")
			}
			b.FillPercent = fillPercent
			for _, o := range ops {
				if string(o.key) == keySum { // of another file
					continue
				}
				if err := apply(b, o, &sum); err != nil {
					return err
				}
			}
			return putSum(b, sum)
		})
	})
	if err == nil {
		s.sum = sum
	}
	return err
}

// apply carries out one operation. A cursor is set anew after each removal: one
// that goes on after it would skip the entry behind. It is set to where it was,
// so that it does not pass again through all that has become empty before.
// Into sum goes what comes, and out of it what goes.
func apply(b *bbolt.Bucket, o op, sum *uint64) error {
	c := b.Cursor()
	k, v := c.Seek(o.key)
	switch o.kind {
	case opPut:
		if bytes.Equal(k, o.key) {
			*sum -= summand(v)
		}
		*sum += summand(o.value)
		return b.Put(o.key, o.value)
	case opRemove:
		if !bytes.Equal(k, o.key) {
			return nil
		}
		*sum -= summand(v)
		return c.Delete()
	}
	var at []byte
	for ; k != nil && bytes.Compare(k, o.value) < 0; k, v = c.Seek(at) {
		if at = append(at[:0], k...); string(k) == keySum {
			at = append(at, 0)
			continue
		}
		*sum -= summand(v)
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// readTx is a state of the file that is being read; read must be called once.
type readTx struct {
	s  *boltStore
	tx *bbolt.Tx
}

// begin begins to read the newest state.
func (s *boltStore) begin() (r readTx, err error) {
	err = s.guard(func() error {
		r.s = s
		r.tx, err = s.db.Begin(false)
		return err
	})
	return r, s.readError(err)
}

func (s *boltStore) readError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrDatabaseNotOpen):
		return ErrClosed
	}
	return fmt.Errorf("cannot read %s: %w", s.name, err)
}

// read calls f with the bucket, and ends the reading.
func (r readTx) read(f func(b *bbolt.Bucket)) error {
	return r.s.readError(r.s.guard(func() (err error) {
		defer func() { err = errors.Join(err, r.tx.Rollback()) }()
		b := r.tx.Bucket([]byte(bucketName))
		if b == nil {
			return errors.New("its bucket is gone")
		}
		f(b)
		return nil
	}))
}

func (s *boltStore) view(f func(b *bbolt.Bucket)) error {
	r, err := s.begin()
	if err != nil {
		return err
	}
	return r.read(f)
}

func (s *boltStore) Get(key []byte) (value []byte, err error) {
	err = s.view(func(b *bbolt.Bucket) { value = bytes.Clone(b.Get(key)) })
	return value, err
}

func (s *boltStore) Scan(from, to []byte, f func(key, value []byte) bool) error {
	return s.view(func(b *bbolt.Bucket) { scan(b, from, to, f) })
}

func scan(b *bbolt.Bucket, from, to []byte, f func(key, value []byte) bool) {
	c := b.Cursor()
	for k, v := c.Seek(from); k != nil && (to == nil || bytes.Compare(k, to) < 0); k, v = c.Next() {
		if string(k) != keySum && !f(k, v) {
			return
		}
	}
}

// noRoom reports whether a commit failed for want of room, and nothing of it
// is in the file: on the device, in a quota, within the file's own bound.
func noRoom(err error) bool {
	if err == nil {
		return false
	}
	// bbolt gives the cause of a failed resize as text only.
	text := err.Error()
	return disk.Full(err) || errors.Is(err, ErrNoRoom) || errors.Is(err, berrors.ErrMaxSizeReached) ||
		strings.Contains(text, syscall.ENOSPC.Error()) || strings.Contains(text, syscall.EDQUOT.Error())
}

// lastCommit returns the number of the newest transaction.
func (s *boltStore) lastCommit() (n uint64, err error) {
	err = s.guard(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			n = uint64(tx.ID())
			return nil
		})
	})
	return n, err
}

// pageBytes returns how many bytes of pages this process has written, close to
// what the disk has seen: each commit adds one meta page to what it allocated.
func (s *boltStore) pageBytes(commits int64) int64 {
	st := s.db.Stats()
	return st.TxStats.GetPageAlloc() + commits*pageSize
}

// Close waits for readers. A store that is broken gives up its file and the
// lock on it; its map stays until the process ends.
func (s *boltStore) Close() error {
	closeFile := s.db.Close
	if s.broken.Load() {
		closeFile = func() error { return unlock(s.file) }
	}
	if err := closeFile(); err != nil {
		return fmt.Errorf("cannot close %s: %w", s.name, err)
	}
	return nil
}
