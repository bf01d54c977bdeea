package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"holdfast/journal/disk"
	"holdfast/journal/wal"
)

// Restore and Salvage put all files of a journal in the place of others, as one.
// They are made beside them first, with the suffix stagedSuffix. Then comes the
// file exchangeName: as long as it is there, the exchange is to be gone on with,
// and whoever takes the journal's lock next does that. So at no time do files of
// the two states work together.

const (
	exchangeName = "journal.exchange"
	stagedSuffix = ".staged"
)

// exchanged returns the names of all files that are exchanged.
func exchanged() []string {
	names := []string{liveName, historyName}
	for i := range wal.Segments {
		names = append(names, wal.Name(i))
	}
	return append(names, markerName)
}

// stagedFolder is the folder under whose names the staged files are seen.
type stagedFolder struct{ disk.Folder }

func (d stagedFolder) Open(name string, flag int) (disk.File, error) {
	return d.Folder.Open(name+stagedSuffix, flag)
}

func (d stagedFolder) Rename(from, to string) error {
	return d.Folder.Rename(from+stagedSuffix, to+stagedSuffix)
}

func (d stagedFolder) Remove(name string) error { return d.Folder.Remove(name + stagedSuffix) }

// clearStaged removes what is left of an exchange that had not begun.
func clearStaged(d disk.Folder) error {
	for _, name := range exchanged() {
		for _, left := range []string{name + stagedSuffix, name + stagedSuffix + newSuffix, name + newSuffix + stagedSuffix} {
			if err := d.Remove(left); err != nil {
				return err
			}
		}
	}
	return d.Remove(exchangeName + newSuffix)
}

// exchange puts the staged files, which are complete and on disk, in their
// places. What was there, and what is in the way, gets the suffix aside. It
// returns the names of that. With an error either nothing has changed, and nothing
// is staged any more, or it says that the exchange has begun.
func exchange(d disk.Folder, aside string, inTheWay ...string) ([]string, error) {
	text := fmt.Sprintf("holdfast exchange 1\naside %s\n", aside)
	for _, name := range inTheWay {
		text += "without " + name + "\n"
	}
	text += fmt.Sprintf("crc %08x\n", crc32.Checksum([]byte(text), castagnoli))
	err := disk.Replace(d, exchangeName, newSuffix, []byte(text))
	if err != nil {
		if begun, lerr := exists(d, exchangeName); lerr == nil && !begun {
			return nil, errors.Join(err, clearStaged(d))
		}
	}
	var old []string
	if err == nil {
		old, err = finishExchange(d)
	}
	if err != nil {
		return nil, fmt.Errorf("the exchange of the files has begun, and goes on at the next start, or when this is run again: %w", err)
	}
	return old, nil
}

// finishExchange goes on with an exchange that has begun; without one it does
// nothing. It may be done again and again: a file that is still staged is the one
// whose turn has not come.
func finishExchange(d disk.Folder) (aside []string, err error) {
	suffix, inTheWay, begun, err := readExchange(d)
	if err != nil || !begun {
		return nil, err
	}
	for _, name := range exchanged() {
		staged, err := exists(d, name+stagedSuffix)
		if err == nil && (staged || slices.Contains(inTheWay, name)) {
			err = setAside(d, name, suffix)
		}
		if err == nil && staged {
			err = d.Rename(name+stagedSuffix, name)
		}
		old := false
		if err == nil {
			old, err = exists(d, name+suffix)
		}
		if err != nil {
			return nil, err
		}
		if old {
			aside = append(aside, name+suffix)
		}
	}
	return aside, d.Remove(exchangeName)
}

func setAside(d disk.Folder, name, suffix string) error {
	there, err := exists(d, name)
	if err != nil || !there {
		return err
	}
	return d.Rename(name, name+suffix)
}

// readExchange returns the suffix of what is set aside by an exchange that has
// begun, and what is set aside without another file in its place. That there is
// the file says that all is staged, whatever it says.
func readExchange(d disk.Folder) (suffix string, inTheWay []string, begun bool, err error) {
	f, err := d.Open(exchangeName, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, false, nil
	}
	var b []byte
	if err == nil {
		b, err = io.ReadAll(io.NewSectionReader(f, 0, 4096))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", nil, false, fmt.Errorf("cannot read %s: %w", exchangeName, err)
	}
	text, sum, _ := strings.Cut(string(b), "crc ")
	_, err = fmt.Sscanf(text, "holdfast exchange 1\naside %s\n", &suffix)
	if err != nil || sum != fmt.Sprintf("%08x\n", crc32.Checksum([]byte(text), castagnoli)) {
		return asideSuffix("exchange", time.Now()), nil, true, nil
	}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "without "); ok {
			inTheWay = append(inTheWay, name)
		}
	}
	return suffix, inTheWay, true, nil
}

// asideSuffix is of files that are set aside before something at that time.
func asideSuffix(what string, at time.Time) string {
	return ".before-" + what + "-" + at.UTC().Format("20060102T150405.000Z")
}

func exists(d disk.Folder, name string) (bool, error) {
	f, err := d.Open(name, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// own gives files that root makes to the owner of the folder: the daemon is
// another user, and could not open them.
func own(dir string, names ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return nil
	}
	for _, name := range names {
		if err := os.Chown(filepath.Join(dir, name), int(st.Uid), int(st.Gid)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
