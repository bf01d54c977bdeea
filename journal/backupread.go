package journal

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"time"

	"holdfast/journal/wal"
)

// ErrBackup says that a file is no backup, or not a whole one.
var ErrBackup = errors.New("not a whole backup")

var errEnough = errors.New("enough has been read")

// backupReader reads a backup once, from its beginning to its end.
type backupReader struct {
	in      *bufio.Reader
	crc     hash.Hash32
	info    BackupInfo
	id      wal.Identity
	section byte   // of the entry before
	last    []byte // its key
	value   bytes.Buffer
}

// readBackup reads the whole of r, checks every byte of it, and calls visit with
// its entries, in order: those of the live file, then those of the history. The
// slices are valid during the call only. An error of visit ends it and is
// returned; errEnough ends it without an error, and without a look at the rest.
func readBackup(r io.Reader, visit func(kind byte, key, value []byte) error) (BackupInfo, error) {
	b := &backupReader{in: bufio.NewReaderSize(r, 256<<10), crc: crc32.New(castagnoli)}
	if err := b.head(); err != nil {
		return BackupInfo{}, err
	}
	for {
		kind, err := b.byte()
		if err != nil {
			return BackupInfo{}, b.cut(err)
		}
		if kind == backupEnd {
			return b.info, b.tail()
		}
		key, value, err := b.entry(kind)
		if err != nil {
			return BackupInfo{}, err
		}
		if err := visit(kind, key, value); errors.Is(err, errEnough) {
			return b.info, nil
		} else if err != nil {
			return BackupInfo{}, err
		}
	}
}

// ReadBackup reads a backup through and says what it holds; an error that wraps
// ErrBackup says that it is none, or damaged, or a part.
func ReadBackup(r io.Reader) (BackupInfo, error) {
	return readBackup(r, func(byte, []byte, []byte) error { return nil })
}

// cut is the error of a backup that ends too early, or cannot be read.
func (b *backupReader) cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it ends after %d bytes, in the middle: %w", b.info.Bytes, ErrBackup)
	}
	return err
}

func (b *backupReader) damaged(format string, args ...any) error {
	return fmt.Errorf("it is damaged near byte %d: %s: %w", b.info.Bytes, fmt.Sprintf(format, args...), ErrBackup)
}

func (b *backupReader) took(p []byte) {
	b.crc.Write(p) // never fails, as hash.Hash has it
	b.info.Bytes += int64(len(p))
}

func (b *backupReader) byte() (byte, error) {
	c, err := b.in.ReadByte()
	if err == nil {
		b.took([]byte{c})
	}
	return c, err
}

// ReadByte is for binary.ReadUvarint.
func (b *backupReader) ReadByte() (byte, error) { return b.byte() }

func (b *backupReader) head() error {
	p := make([]byte, backupHeadLen)
	n, err := io.ReadFull(b.in, p)
	if n < len(backupMagic) || string(p[:len(backupMagic)]) != backupMagic {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		return fmt.Errorf("it does not begin as one: %w", ErrBackup)
	}
	b.took(p[:n])
	if err != nil {
		return b.cut(err)
	}
	body := p[:len(p)-4]
	if binary.BigEndian.Uint32(p[len(body):]) != crc32.Checksum(body, castagnoli) {
		return b.damaged("its head does not match its checksum")
	}
	f := body[len(backupMagic):]
	if v := binary.BigEndian.Uint32(f); v != backupVersion {
		return fmt.Errorf("it is a backup of version %d, this program knows %d: %w", v, backupVersion, ErrVersion)
	}
	if v := binary.BigEndian.Uint32(f[4:]); v != formatVersion {
		return otherFormat("the journal in the backup", int(v))
	}
	b.id = wal.Identity(f[8:24])
	b.info.Journal = identityText(b.id)
	b.info.Time = time.UnixMilli(int64(readUint64(f[24:]))).UTC()
	return nil
}

// maxEntry bounds what a value can be: more than a batch of the history takes.
const maxEntry = 1 << 30

// entry reads the rest of an entry, and checks that it is in its place.
func (b *backupReader) entry(kind byte) (key, value []byte, err error) {
	if kind != backupLive && kind != backupHistory {
		return nil, nil, b.damaged("neither an entry nor the end")
	}
	klen, err := binary.ReadUvarint(b)
	if err != nil {
		return nil, nil, b.cut(err)
	}
	vlen, err := binary.ReadUvarint(b)
	if err != nil {
		return nil, nil, b.cut(err)
	}
	if klen == 0 || klen > 1<<15 || vlen > maxEntry {
		return nil, nil, b.damaged("an entry of %d and %d bytes", klen, vlen)
	}
	// Not all at once: a length that is damaged is not to take the memory.
	b.value.Reset()
	n, err := io.CopyN(&b.value, b.in, int64(klen+vlen))
	b.took(b.value.Bytes())
	if err != nil || n < int64(klen+vlen) {
		return nil, nil, b.cut(err)
	}
	key, value = b.value.Bytes()[:klen:klen], b.value.Bytes()[klen:]
	_, _, uerr := unseal(key, value)
	switch {
	case uerr != nil:
		return nil, nil, b.damaged("%s does not match its checksum", describe(key))
	case kind == backupLive && b.section == backupHistory, kind == b.section && bytes.Compare(b.last, key) >= 0:
		return nil, nil, b.damaged("%s is out of order", describe(key))
	case key[0] == keyFormat[0]:
		return nil, nil, b.damaged("key %q", key)
	}
	b.section, b.last = kind, append(b.last[:0], key...)
	b.info.Entries++
	if kind == backupLive {
		b.info.count(key, value)
	}
	return key, value, nil
}

// tail reads what stands behind the last entry.
func (b *backupReader) tail() error {
	p := make([]byte, backupTailLen)
	n, err := io.ReadFull(b.in, p)
	sums := p[:len(p)-4]
	b.took(p[:min(n, len(sums))])
	if err != nil {
		return b.cut(err)
	}
	if b.crc.Sum32() != binary.BigEndian.Uint32(p[len(sums):]) {
		return b.damaged("the whole does not match its checksum")
	}
	b.info.Bytes += 4
	live, history, runs := readUint64(sums), readUint64(sums[8:]), readUint64(sums[16:])
	b.info.highest = readUint64(sums[24:])
	if live != uint64(b.info.live) || history != uint64(b.info.Entries-b.info.live) || runs != uint64(b.info.Runs) ||
		readUint64(sums[32:]) != b.info.Frame {
		return b.damaged("it has other entries than its end says")
	}
	if _, err := b.in.ReadByte(); err == nil {
		return b.damaged("it goes on behind its end")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
