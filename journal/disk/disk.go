// Package disk is the folder that a journal's own files lie in: what is written
// there, renamed and synced passes through two small interfaces, so that a test
// can make any one of these operations fail, or write down all of them and put
// together what a power cut could have left.
//
// bbolt opens its files itself; they do not come by here.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// File is an open file.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync returns when what was written is on disk. Its length counts, its
	// times do not.
	Sync() error
}

// Folder is where the files lie. Names are without a path.
type Folder interface {
	// Open opens a file to read and write; flag is os.O_CREATE, os.O_EXCL,
	// os.O_TRUNC or 0.
	Open(name string, flag int) (File, error)
	// Rename gives a file another name, and takes that name from another. It is
	// on disk when Rename returns.
	Rename(from, to string) error
	// Remove removes a file; that there is none is no error.
	Remove(name string) error
}

// At returns the folder at path.
func At(path string) Folder { return folder(path) }

type folder string

func (d folder) Open(name string, flag int) (File, error) {
	f, err := os.OpenFile(filepath.Join(string(d), name), os.O_RDWR|flag, 0o600)
	if err != nil {
		return nil, err
	}
	return file{f}, nil
}

func (d folder) Rename(from, to string) error {
	if err := os.Rename(filepath.Join(string(d), from), filepath.Join(string(d), to)); err != nil {
		return err
	}
	return d.sync()
}

func (d folder) Remove(name string) error {
	err := os.Remove(filepath.Join(string(d), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d folder) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type file struct{ *os.File }

func (f file) Sync() error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}

// Full reports whether err says that there is no room: on the device, in a
// quota. All other errors of a write leave open what is on disk.
func Full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Replace puts content under name, all or nothing: written aside under name
// with the suffix, synced, renamed.
func Replace(d Folder, name, suffix string, content []byte) error {
	f, err := d.Open(name+suffix, os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.Remove(name+suffix))
	}
	return d.Rename(name+suffix, name)
}
