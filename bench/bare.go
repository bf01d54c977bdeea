package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// bareFile is the least that a step can cost that waits for the disk: one page
// is written and synced. It overwrites a file of 8 MiB, as the log's segments
// are, or, with grows, appends. It is for one run at a time.
type bareFile struct {
	probe *probe
	sync  time.Duration
	grows bool

	file *os.File
}

const page = 4096

func (b *bareFile) open(dir string) (err error) {
	if b.file, err = os.Create(filepath.Join(dir, "bare")); err != nil || b.grows {
		return err
	}
	for i := 0; i < 8<<20 && err == nil; i += page {
		_, err = b.file.Write(make([]byte, page)) // by pages: Linux keeps them as large as they came
	}
	return errors.Join(err, b.file.Sync())
}

func (b *bareFile) run(_ context.Context, n int) error {
	const pages = 8 << 20 / page
	var content [page]byte
	probe := b.probe.of("bare")
	for i := int64(0); ; i++ {
		at := i
		if !b.grows {
			at %= pages
		}
		binary.BigEndian.PutUint64(content[:], uint64(i))
		if _, err := b.file.WriteAt(content[:], at*page); err != nil {
			return err
		}
		if b.sync > 0 {
			time.Sleep(b.sync)
		}
		if err := syscall.Fdatasync(int(b.file.Fd())); err != nil {
			return err
		}
		if !probe.step() || int(i+1) == n {
			return nil
		}
	}
}

func (b *bareFile) settle(context.Context) (int, error) { return 0, nil }

func (b *bareFile) close() error { return b.file.Close() }

// bareBolt is bbolt alone: for each step one Update with what a journal has to
// keep of it, an intent and an outcome.
type bareBolt struct {
	probe *probe
	sync  time.Duration

	db   *bbolt.DB
	runs atomic.Uint64
}

var bareBucket = []byte("bare")

func (b *bareBolt) open(dir string) (err error) {
	if b.db, err = bbolt.Open(filepath.Join(dir, "bare.db"), 0o600, &bbolt.Options{FreelistType: bbolt.FreelistMapType}); err != nil {
		return err
	}
	return b.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bareBucket)
		return err
	})
}

func (b *bareBolt) run(_ context.Context, n int) error {
	value := make([]byte, 60)
	run := b.runs.Add(1)
	probe, key := b.probe.of(fmt.Sprint(run)), binary.BigEndian.AppendUint64(nil, run)
	for i := 0; ; i++ {
		err := b.db.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(bareBucket)
			intent := binary.BigEndian.AppendUint32(key[:8:8], uint32(2*i))
			outcome := binary.BigEndian.AppendUint32(key[:8:8], uint32(2*i+1))
			if b.sync > 0 {
				time.Sleep(2 * b.sync) // it syncs its pages, then its meta page
			}
			return errors.Join(bucket.Put(intent, value), bucket.Put(outcome, value[:30]))
		})
		if err != nil {
			return err
		}
		if !probe.step() || i+1 == n {
			return nil
		}
	}
}

func (b *bareBolt) settle(context.Context) (int, error) { return 0, nil }

func (b *bareBolt) close() error { return b.db.Close() }
