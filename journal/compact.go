package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

const (
	compactFrom  = 16 << 20  // bytes of file below which nothing is gained
	compactSlice = 512 << 10 // copied in one go
)

// compaction fills a new file with what the history holds, in the order of the
// keys, while the history goes on: what is committed below the place that the
// copy has reached goes to both files.
type compaction struct {
	h    *history
	path string
	file *boltStore
	next []byte // entries below are in the new file
	ops  []op
	err  error // why the new file cannot be used
}

// compact begins, goes on with, or ends a compaction; more says that there is
// more to do at once. An error is for the journal: the history may be either file.
func (k *keeper) compact() (more bool, err error) {
	h := k.m.j.history
	h.write.Lock()
	defer h.write.Unlock()
	if h.copying == nil {
		size, used, err := h.room()
		if err != nil || size <= k.m.j.opts.tests.compactFrom() || used > size/2 || k.inUse() {
			return false, nil
		}
		if h.copying, err = k.beginCompaction(); err != nil {
			k.giveUp(err)
			return false, nil
		}
	}
	c := h.copying
	done, err := c.step()
	if err == nil && done {
		var unknown bool
		if unknown, err = k.takePlace(c); unknown {
			return false, fmt.Errorf("cannot put the smaller %s in its place: %w", historyName, err)
		}
	}
	if err != nil {
		k.giveUp(err)
		return false, nil
	}
	return h.copying != nil, nil
}

func (k *keeper) beginCompaction() (*compaction, error) {
	c := &compaction{h: k.m.j.history, path: k.m.j.path(historyName) + newSuffix}
	err := k.m.j.at("remove a compaction")
	if err == nil {
		if err = os.Remove(c.path); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = k.m.j.at("create a compaction")
	}
	if err == nil {
		c.file, err = openBolt(c.path, true, 0)
	}
	if err != nil {
		return nil, err
	}
	c.file.db.NoSync = true // until it takes its place
	return c, nil
}

// giveUp drops what was copied. The history is as it was.
func (k *keeper) giveUp(err error) {
	k.m.j.log.Warn("the history could not be made smaller", "error", err)
	k.postpone()
	k.drop()
}

// drop removes an unfinished copy.
func (k *keeper) drop() {
	c := k.m.j.history.copying
	if c == nil {
		return
	}
	k.m.j.history.copying = nil
	if err := errors.Join(c.file.Close(), os.Remove(c.path)); err != nil {
		k.m.j.log.Warn("the unfinished copy of the history is left", "error", err) // the next open removes it
	}
}

// step copies a slice.
func (c *compaction) step() (done bool, err error) {
	if c.err != nil {
		return false, c.err
	}
	c.ops = c.ops[:0]
	size := 0
	err = c.h.Scan(c.next, nil, func(key, value []byte) bool {
		c.next = append(bytes.Clone(key), 0)
		if string(key) != keyFormat { // it is written last
			c.ops = append(c.ops, op{opPut, bytes.Clone(key), bytes.Clone(value)})
			size += len(key) + len(value)
		}
		return size < compactSlice
	})
	if err == nil && len(c.ops) > 0 {
		err = c.file.Commit(c.ops)
	}
	return size < compactSlice, err
}

// follow takes over what the history has committed, as far as the copy has come.
func (c *compaction) follow(ops []op) {
	c.ops = c.ops[:0]
	for _, o := range ops {
		switch {
		case bytes.Compare(o.key, c.next) >= 0:
			continue
		case o.kind == opRemoveRange && bytes.Compare(o.value, c.next) > 0:
			o.value = c.next
		}
		c.ops = append(c.ops, o)
	}
	if c.err == nil && len(c.ops) > 0 {
		c.err = c.file.Commit(c.ops)
	}
}

// takePlace puts the copy in the place of the history. unknown says that after
// the error either file may lie there.
func (k *keeper) takePlace(c *compaction) (unknown bool, err error) {
	j, h := k.m.j, c.h
	last, err := h.lastCommit()
	if err != nil {
		return false, err
	}
	key, base := []byte(keyFormat), h.base+last
	value := append(make([]byte, sealLen), binary.BigEndian.AppendUint32(nil, formatVersion)...)
	seal(key, value, base)
	if err := c.file.Commit([]op{{opPut, key, value}}); err != nil {
		return false, err
	}
	c.file.db.NoSync = false
	err = j.at("sync a compaction")
	if err == nil {
		err = c.file.guard(c.file.db.Sync)
	}
	if err == nil {
		err = j.at("rename a compaction")
	}
	if err != nil {
		return false, err
	}
	// From here on both names may lead to the new file, and what is committed
	// goes there.
	h.copying = nil
	if err = j.folder.Rename(historyName+newSuffix, historyName); err == nil {
		err = j.at("sync the folder")
	}
	return err != nil, errors.Join(err, h.swap(c.file, base))
}
