package journal

import (
	"errors"
	"fmt"
	"path/filepath"
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
	path := filepath.Join(dir, liveName)
	_, marked, err := readMarker(dir)
	if err != nil {
		return false, err
	}
	none, err := missing(path)
	if err != nil || none {
		return marked, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return false, err
	}
	live := make(map[uint64]bool)
	in, err := inspectFile(path, func(key, _ []byte) {
		run, part, ok := splitRunKey(key)
		switch {
		case !ok:
		case part == partHeader:
			live[run] = true
		case part == partEnd:
			delete(live, run)
		}
	})
	if err = errors.Join(err, unlock(lock)); err != nil {
		return false, err
	}
	return len(live) > 0 || len(in.faults) > 0 || in.format > formatVersion, nil
}
