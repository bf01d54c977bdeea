package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strings"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// markerName is a small text file beside the others. That it is there says that
// a journal was here; what it says tells which, whether it was closed in order,
// and how far it had come.
const markerName = "journal.marker"

// formatVersion is that of all files. A program opens what is of its own version.
const formatVersion = 2

// The states that a marker tells.
const (
	stateNew    = "new"    // the files are being made
	stateOpen   = "open"   // since then a process has the journal, or was ended
	stateClosed = "closed" // in order: nothing is missing in the files
)

// marker is the content of the marker file.
type marker struct {
	version int
	id      wal.Identity
	state   string
	seq     uint64 // last frame of the log when it was written
	history uint64 // serial of the last commit of the history then
}

func (m marker) closed() bool { return m.state == stateClosed }

func (m marker) encode() []byte {
	text := fmt.Sprintf("holdfast journal %d\nid %s\n%s frame %d history %d\n", m.version, identityText(m.id), m.state, m.seq, m.history)
	return fmt.Appendf(nil, "%scrc %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// readMarker returns the marker; exists is false if there is none. One that
// cannot be read says that a journal was here, and nothing else.
func readMarker(d disk.Folder) (m marker, exists bool, err error) {
	f, err := d.Open(markerName, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return marker{}, false, nil
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.NewSectionReader(f, 0, 4096))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return marker{}, false, fmt.Errorf("cannot read the marker: %w", err)
	}
	if m, ok := parseMarker(string(b)); ok {
		return m, true, nil
	}
	// Another format may say other things below its first line. One that ends
	// like ours, and whose CRC does not hold, is damaged.
	var other marker
	if crcDiffers(string(b)) {
		return marker{version: formatVersion, state: stateOpen}, true, nil
	}
	if _, err := fmt.Sscanf(string(b), "holdfast journal %d\n", &other.version); err == nil && other.version != formatVersion {
		return other, true, nil
	}
	return marker{version: formatVersion, state: stateOpen}, true, nil
}

func parseMarker(text string) (m marker, ok bool) {
	var id []byte
	_, err := fmt.Sscanf(text, "holdfast journal %d\nid %x\n%s frame %d history %d\n", &m.version, &id, &m.state, &m.seq, &m.history)
	if err != nil || m.version != formatVersion || len(id) != len(m.id) {
		return marker{}, false
	}
	m.id = wal.Identity(id)
	known := m.state == stateNew || m.state == stateOpen || m.state == stateClosed
	return m, known && string(m.encode()) == text
}

// crcDiffers reports whether the last line of text is a CRC of another text.
func crcDiffers(text string) bool {
	at := strings.LastIndex(text, "\ncrc ") + 1
	return at > 0 && text[at:] != fmt.Sprintf("crc %08x\n", crc32.Checksum([]byte(text[:at]), castagnoli))
}

// writeMarker replaces the marker, all or nothing.
func writeMarker(d disk.Folder, m marker) error {
	m.version = formatVersion
	if err := disk.Replace(d, markerName, newSuffix, m.encode()); err != nil {
		return fmt.Errorf("cannot write the marker: %w", err)
	}
	return nil
}

// newSuffix marks files that are not complete.
const newSuffix = ".new"

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

// Why a journal that cannot be opened can still be salvaged, besides ErrForeign.
var (
	errGone       = errors.New("missing or empty")
	errUnreadable = errors.New("nothing says which journal it is")
)

// gone is the error for files that should be there, as another one says.
func gone(dir string, names []string, witness string) error {
	return fmt.Errorf("%s %w, but %s says that a journal was here: restore the files from a backup (holdfast journal restore), "+
		"or have what is left put together (holdfast journal salvage), or, to give up every run and begin anew, move all files away from %s",
		strings.Join(names, " and ")+isAre(names), errGone, witness, dir)
}

func isAre(names []string) string {
	if len(names) == 1 {
		return " is"
	}
	return " are"
}
