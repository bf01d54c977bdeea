package journal

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"holdfast/journal/wal"
)

// A backup is one stream: a head, every entry of the live file as it was at one
// moment, with what the log had, every entry of the history as it was a little
// later, and a tail with counts and a CRC over all of it. FORMAT.md has the bytes.

const (
	backupMagic   = "holdfast backup\n"
	backupVersion = 1

	backupHeadLen = len(backupMagic) + 4 + 4 + 16 + 8 + 4
	backupTailLen = 5*8 + 4
)

// Kinds of what stands between head and tail.
const (
	backupLive    = 'j'
	backupHistory = 'h'
	backupEnd     = 'z'
)

// BackupInfo says what a backup holds.
type BackupInfo struct {
	Journal string    // identity of the journal that it was made of
	Time    time.Time // of the live runs in it, UTC, to the millisecond
	Frame   uint64    // of the log: the last that changed what is in it of live runs
	Runs    int       // live ones
	Entries int       // of both files
	Bytes   int64     // of the backup

	live    int    // entries of the live file
	highest uint64 // number of a run, that had been given out
}

// Backup writes a backup to w while the journal goes on: everything that was
// appended before the call, and live runs as they were at one moment. A run that
// ends meanwhile may be in it twice, as live and as ended; Restore takes it for
// ended. Memory is bounded. As long as it lasts, no room within the files is used
// again: a slow w makes them longer. It fails rather than leave out an entry that
// is damaged; what w has got then ends without a tail, and Restore refuses it.
func (j *Journal) Backup(ctx context.Context, w io.Writer) (BackupInfo, error) {
	info, err := j.backup(ctx, w)
	if err != nil {
		return BackupInfo{}, fmt.Errorf("cannot back up the journal: %w", err)
	}
	return info, nil
}

func (j *Journal) backup(ctx context.Context, w io.Writer) (BackupInfo, error) {
	if err := j.Err(); errors.Is(err, ErrClosed) {
		return BackupInfo{}, err
	}
	if err := j.settle(ctx); err != nil {
		return BackupInfo{}, err
	}
	b := newBackupWriter(w)
	b.head(j.id, time.Now())
	goes := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := j.Err(); errors.Is(err, ErrClosed) {
			return err
		}
		return nil
	}
	// The live file first: who leaves it meanwhile is then found in the history.
	err := b.section(backupLive, j.live.Scan, goes)
	if err == nil {
		err = b.section(backupHistory, j.history.scanOne, goes)
	}
	if err == nil {
		b.info.highest = j.runs.Load()
		err = b.tail()
	}
	return b.info, err
}

// backupWriter writes a backup. The first error of the stream sticks.
type backupWriter struct {
	out     *bufio.Writer
	crc     hash.Hash32
	scratch []byte
	info    BackupInfo
	err     error
}

func newBackupWriter(w io.Writer) *backupWriter {
	return &backupWriter{out: bufio.NewWriterSize(w, 64<<10), crc: crc32.New(castagnoli)}
}

func (b *backupWriter) write(p []byte) {
	if b.err != nil {
		return
	}
	b.crc.Write(p) // never fails, as hash.Hash has it
	b.info.Bytes += int64(len(p))
	_, b.err = b.out.Write(p)
}

func (b *backupWriter) head(id wal.Identity, at time.Time) {
	b.info.Journal, b.info.Time = identityText(id), at.UTC().Truncate(time.Millisecond)
	p := []byte(backupMagic)
	p = binary.BigEndian.AppendUint32(p, backupVersion)
	p = binary.BigEndian.AppendUint32(p, formatVersion)
	p = append(p, id[:]...)
	p = appendUint64(p, uint64(b.info.Time.UnixMilli()))
	b.write(binary.BigEndian.AppendUint32(p, crc32.Checksum(p, castagnoli)))
}

// goOnEvery is after how many entries goes is asked.
const goOnEvery = 64

// section writes every entry that scan gives, in one state of a file, but those
// that say what the file is: a file that is made of the backup has its own.
func (b *backupWriter) section(kind byte, scan func(from, to []byte, f func(key, value []byte) bool) error, goes func() error) error {
	var bad error
	n := 0
	err := scan(nil, nil, func(key, value []byte) bool {
		if key[0] == keyFormat[0] {
			return true
		}
		if n++; n%goOnEvery == 0 {
			if bad = goes(); bad != nil {
				return false
			}
		}
		if _, _, err := unseal(key, value); err != nil {
			bad = fmt.Errorf("%s: %w: stop the daemon and start it again, which mends what can be mended", describe(key), err)
			return false
		}
		b.entry(kind, key, value)
		return b.err == nil
	})
	return errors.Join(err, bad, b.err)
}

func (b *backupWriter) entry(kind byte, key, value []byte) {
	p := append(b.scratch[:0], kind)
	p = binary.AppendUvarint(p, uint64(len(key)))
	p = binary.AppendUvarint(p, uint64(len(value)))
	b.scratch = append(p, key...)
	b.write(b.scratch)
	b.write(value)
	b.info.Entries++
	if kind == backupLive {
		b.info.count(key, value)
	}
}

// count takes an entry of the live file into account.
func (i *BackupInfo) count(key, value []byte) {
	i.live++
	i.Frame = max(i.Frame, binary.BigEndian.Uint64(value[4:]))
	switch _, part, ok := splitRunKey(key); {
	case ok && part == partHeader:
		i.Runs++
	case ok && part == partEnd:
		i.Runs--
	}
}

func (b *backupWriter) tail() error {
	p := []byte{backupEnd}
	p = appendUint64(p, uint64(b.info.live))
	p = appendUint64(p, uint64(b.info.Entries-b.info.live))
	p = appendUint64(p, uint64(b.info.Runs))
	p = appendUint64(p, b.info.highest)
	p = appendUint64(p, b.info.Frame)
	b.write(p)
	b.write(b.crc.Sum(nil)) // big-endian
	if b.err == nil {
		b.err = b.out.Flush()
	}
	return b.err
}
