package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// socketMode is the mode of the socket: its user and group, nobody else.
const socketMode = 0o660

// maxSocketPath is the longest path of a unix socket on Linux, in bytes (unix(7)).
const maxSocketPath = 107

// ErrInUse is the error of Listen where another daemon has the socket.
var ErrInUse = errors.New("another holdfast is running")

// Listen opens the socket at path with mode 0660, and makes the folder that it
// lies in. A socket that nobody listens on, as a crash leaves it, is replaced;
// one that somebody does is ErrInUse; anything else at path is left alone and
// is an error. Closing the listener removes the socket.
//
// At no moment can anybody open the socket whom the mode keeps out: it is made
// in a folder of its own that only this user can enter, and moved to its place
// when its mode is right.
func Listen(path string) (net.Listener, error) {
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return l, nil
}

func listen(path string) (_ net.Listener, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(dir, ".h") // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	temp := filepath.Join(private, "s")
	if n := max(len(path), len(temp)); n > maxSocketPath {
		return nil, fmt.Errorf("the path is %d bytes too long for a unix socket", n-maxSocketPath)
	}
	if err := makeWay(path, filepath.Join(private, "old")); err != nil {
		return nil, err
	}
	ul, err := net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ul.SetUnlinkOnClose(false)
	own, err := place(temp, path)
	if err != nil {
		return nil, errors.Join(err, ul.Close())
	}
	return &listener{UnixListener: ul, path: path, own: own}, nil
}

// place gives the socket temp its mode and its name. It never replaces
// anything: what came to path in between is another daemon's.
func place(temp, path string) (os.FileInfo, error) {
	if err := os.Chmod(temp, socketMode); err != nil {
		return nil, err
	}
	if err := os.Link(temp, path); errors.Is(err, fs.ErrExist) {
		return nil, ErrInUse
	} else if err != nil {
		return nil, err
	}
	return os.Lstat(temp)
}

// makeWay sees to it that there is nothing at path: a socket on which nobody
// listens is moved to aside. Of two daemons that start at once, and both find
// the socket stale, one may then move the other's new socket: it looks at what
// it has, and puts it back.
func makeWay(path, aside string) error {
	stale, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if stale.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is no socket")
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		return errors.Join(ErrInUse, c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether the socket there is in use: %w", err)
	}
	if err := os.Rename(path, aside); err != nil {
		return err
	}
	moved, err := os.Lstat(aside)
	if err != nil {
		return err
	}
	if !os.SameFile(moved, stale) {
		return errors.Join(ErrInUse, os.Rename(aside, path))
	}
	return nil
}

// listener removes its socket when it is closed, unless another has taken its place.
type listener struct {
	*net.UnixListener
	path  string
	own   os.FileInfo
	once  sync.Once
	first error // of the first Close
}

// Addr returns the path under which the socket can be reached.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close ends the listening and removes the socket. It may be called twice.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.first = l.UnixListener.Close()
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.own) {
			l.first = errors.Join(l.first, os.Remove(l.path))
		}
	})
	return l.first
}
