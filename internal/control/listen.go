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
// Two daemons that start at once both find an old socket stale, and each could
// then remove the other's new one: a lock on the file path.lock, held until the
// listener is closed or the process ends, lets one of them do it. The file stays.
//
// At no moment can anybody open the socket whom the mode keeps out: it is made
// in a folder of its own that only this user can enter, and moved to its place
// when its mode is right.
func Listen(path string) (net.Listener, error) {
	l, err := listen(path, os.MkdirTemp)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", path, err)
	}
	return l, nil
}

func listen(path string, mkdirTemp func(dir, pattern string) (string, error)) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l := &listener{path: path, lock: lock}
	if err := makeWay(path); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := l.open(mkdirTemp); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// lockFile opens a file and locks it. What is locked already is in use.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(ErrInUse, f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// makeWay sees to it that there is nothing at path: a socket on which nobody
// listens is removed.
func makeWay(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errors.New("there is a file that is no socket")
	}
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err == nil {
		return errors.Join(ErrInUse, c.Close())
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("cannot tell whether the socket there is in use: %w", err)
	}
	return os.Remove(path)
}

// open makes the socket, and moves it to its place.
func (l *listener) open(mkdirTemp func(dir, pattern string) (string, error)) (err error) {
	private, err := mkdirTemp(filepath.Dir(l.path), ".h") // mode 0700
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return l.openInPlace()
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	temp := filepath.Join(private, "s")
	if n := max(len(l.path), len(temp)); n > maxSocketPath {
		return fmt.Errorf("the path is %d bytes too long for a unix socket", n-maxSocketPath)
	}
	l.UnixListener, err = net.ListenUnix("unix", &net.UnixAddr{Name: temp, Net: "unix"})
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(temp, socketMode); err == nil {
		l.own, err = os.Lstat(temp)
	}
	if err == nil {
		err = os.Rename(temp, l.path)
	}
	if err != nil {
		return errors.Join(err, l.UnixListener.Close())
	}
	return nil
}

// openInPlace is open where the disk is full: a socket takes no room, as a folder
// does. That it can be opened by nobody at first is for the umask to see to, the
// whole process's for that moment: files that others make then are as closed.
func (l *listener) openInPlace() (err error) {
	before := syscall.Umask(0o777)
	l.UnixListener, err = net.ListenUnix("unix", &net.UnixAddr{Name: l.path, Net: "unix"})
	syscall.Umask(before)
	if err != nil {
		return err
	}
	l.SetUnlinkOnClose(false)
	if err = os.Chmod(l.path, socketMode); err == nil {
		l.own, err = os.Lstat(l.path)
	}
	if err != nil {
		return errors.Join(err, l.UnixListener.Close())
	}
	return nil
}

// listener removes its socket when it is closed, unless another has taken its place.
type listener struct {
	*net.UnixListener
	path  string
	lock  *os.File
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
		l.first = errors.Join(l.first, l.lock.Close())
	})
	return l.first
}
