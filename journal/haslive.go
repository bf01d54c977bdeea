package journal

import (
	"errors"
	"fmt"
	"path/filepath"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// HasLive reports whether the journal in dir holds a run that has not ended, or
// may: where files are missing or damaged, it is for Open to say what is left.
// It changes nothing, and where no journal is, it makes none. It fails with
// ErrLocked while a process has the journal.
func HasLive(dir string) (bool, error) {
	found, err := hasLive(dir)
	if err != nil {
		return false, fmt.Errorf("cannot look into the journal in %s: %w", dir, err)
	}
	return found, nil
}

func hasLive(dir string) (bool, error) {
	folder, path := disk.At(dir), filepath.Join(dir, liveName)
	if _, _, begun, err := readExchange(folder); begun || err != nil {
		return begun, err
	}
	m, marked, err := readMarker(folder)
	if err != nil {
		return false, err
	}
	none, err := missing(path)
	if err != nil || none {
		return marked && m.state != stateNew, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return false, err
	}
	entries := newOverlay()
	in, err := inspectFile(path, func(key, value []byte) { entries.apply(op{opPut, clone(key), value}) })
	doubt := false
	if err == nil && len(in.faults) == 0 {
		doubt, err = entries.addLog(folder, in)
	}
	if err = errors.Join(err, unlock(lock)); err != nil {
		return false, err
	}
	live := 0
	entries.entries.Scan(func(e overlaid) bool {
		switch _, part, ok := splitRunKey(e.key); {
		case !ok || e.value == nil:
		case part == partHeader:
			live++
		case part == partEnd:
			live--
		}
		return true
	})
	return doubt || live > 0 || len(in.faults) > 0 || in.format != formatVersion, nil
}

// addLog puts what the log has over the entries of the live file. doubt says
// that the log cannot be read, or is not this file's.
func (o *overlay) addLog(folder disk.Folder, in *inspection) (doubt bool, err error) {
	if !in.origin.known {
		return true, nil
	}
	found, err := wal.Read(folder, in.origin.id)
	if errors.Is(err, wal.ErrForeign) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for _, f := range found.Frames {
		if f.Seq > in.sequence && !readFrame(f.Body, o.apply) {
			doubt = true
		}
	}
	return doubt, nil
}
