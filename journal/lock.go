package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"holdfast/journal/disk"
)

// lockName is the file whose lock says that a process has the journal. It is
// never removed: the lock is the kernel's and goes with the process.
const lockName = "journal.lock"

// lockDir takes the lock of the journal in dir, or fails at once with ErrLocked.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrLocked
		if holder, rerr := io.ReadAll(io.LimitReader(f, 32)); rerr == nil && len(holder) > 0 {
			err = fmt.Errorf("%w: process %s", ErrLocked, strings.TrimSpace(string(holder)))
		}
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		err = write(f, fmt.Sprintf("%d\n", os.Getpid()))
		if disk.Full(err) {
			err = nil // the lock counts; the number is for a message
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlock gives up what lockDir took. The lock is released by itself, not only
// with the descriptor: a child process that is just being forked still has one.
func unlock(f *os.File) error {
	return errors.Join(syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
}

func write(f *os.File, s string) error {
	_, err := f.WriteAt([]byte(s), 0)
	return err
}
