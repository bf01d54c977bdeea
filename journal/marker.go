package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// markerName is a small text file beside the two others. That it is there says
// that a journal was here; what it says tells whether it was closed in order.
const markerName = "journal.marker"

// formatVersion is that of both files. A program opens what is of its own
// version or older.
const formatVersion = 1

// marker is the content of the marker file.
type marker struct {
	version       int
	clean         bool
	live, history uint64 // newest transactions, when clean
}

func (m marker) encode() []byte {
	state := "open"
	if m.clean {
		state = "closed"
	}
	text := fmt.Sprintf("holdfast journal %d\n%s live %d history %d\n", m.version, state, m.live, m.history)
	return fmt.Appendf(nil, "%scrc %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// readMarker returns the marker; exists is false if there is none. One that
// cannot be read says that a journal was here, and nothing else.
func readMarker(dir string) (m marker, exists bool, err error) {
	b, err := os.ReadFile(filepath.Join(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return marker{}, false, nil
	}
	if err != nil {
		return marker{}, false, fmt.Errorf("cannot read the marker: %w", err)
	}
	var state string
	if _, err := fmt.Sscanf(string(b), "holdfast journal %d\n%s live %d history %d\n", &m.version, &state, &m.live, &m.history); err != nil {
		// A later format may say other things below its first line.
		var later marker
		if _, err := fmt.Sscanf(string(b), "holdfast journal %d\n", &later.version); err == nil && later.version > formatVersion {
			return later, true, nil
		}
		return marker{version: formatVersion}, true, nil
	}
	m.clean = state == "closed"
	if m.version <= formatVersion && string(m.encode()) != string(b) {
		return marker{version: formatVersion}, true, nil
	}
	return m, true, nil
}

// writeMarker replaces the marker, all or nothing.
func writeMarker(dir string, m marker) error {
	m.version = formatVersion
	if err := replaceFile(filepath.Join(dir, markerName), m.encode()); err != nil {
		return fmt.Errorf("cannot write the marker: %w", err)
	}
	return nil
}

// markClean says in the marker that both files are as they should be.
func (j *Journal) markClean() error {
	live, err := j.liveFile.lastCommit()
	if err != nil {
		return err
	}
	history, err := j.history.lastCommit()
	if err != nil {
		return err
	}
	return writeMarker(j.dir, marker{clean: true, live: live, history: history})
}

// replaceFile puts content at path, durable, so that at any time the old or the
// new is there.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return rename(path+newSuffix, path)
}

// newSuffix marks files that are not complete.
const newSuffix = ".new"

// rename is os.Rename, durable.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// missing reports whether there is nothing at path, or a file of no bytes.
func missing(path string) (bool, error) {
	fi, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return fi.Size() == 0, nil
}

// gone is the error for a file that should be there.
func gone(dir string, names []string) error {
	return fmt.Errorf("%s missing or empty, but %s says that a journal was here: restore the files from a backup, "+
		"or, to give up every run and begin anew, remove %s",
		strings.Join(names, " and ")+isAre(names), markerName, filepath.Join(dir, markerName))
}

func isAre(names []string) string {
	if len(names) == 1 {
		return " is"
	}
	return " are"
}
