package control_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"holdfast/internal/control"
	"holdfast/internal/control/controltest"
)

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := control.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// only fails the test unless the folder of path holds nothing else but the lock,
// such as what Listen works with.
func only(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if base := filepath.Base(path); e.Name() != base && e.Name() != base+".lock" {
			t.Errorf("%s is left over", e.Name())
		}
	}
}

func TestListenModeAndRemoval(t *testing.T) {
	t.Parallel()
	path := controltest.Socket(t)
	l := listen(t, path)
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("the mode is %v", info.Mode())
	}
	if l.Addr().String() != path {
		t.Errorf("the address is %s", l.Addr())
	}
	only(t, path)
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestListenReplacesStaleSocket(t *testing.T) {
	t.Parallel()
	path := controltest.Socket(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	crashed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	crashed.SetUnlinkOnClose(false)
	if err := crashed.Close(); err != nil {
		t.Fatal(err)
	}
	listen(t, path)
	only(t, path)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestListenRefusesWhatIsInUse(t *testing.T) {
	t.Parallel()
	path := controltest.Socket(t)
	listen(t, path)
	_, err := control.Listen(path)
	if !errors.Is(err, control.ErrInUse) || err.Error() != "cannot listen on "+path+": another holdfast is running" {
		t.Errorf("the error is %v", err)
	}
	only(t, path)
}

func TestListenRefusesAStrangersSocket(t *testing.T) {
	t.Parallel()
	path := controltest.Socket(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); !errors.Is(err, control.ErrInUse) {
		t.Errorf("the error is %v", err)
	}
	if err := stranger.Close(); err != nil {
		t.Error(err)
	}
	listen(t, path) // the lock was given back
}

func TestListenLeavesFilesAlone(t *testing.T) {
	t.Parallel()
	path := controltest.Socket(t)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "there is a file that is no socket") {
		t.Errorf("the error is %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file holds %q, %v", b, err)
	}
	only(t, path)
}

func TestListenTooLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(filepath.Dir(controltest.Socket(t)), strings.Repeat("x", 120))
	if _, err := control.Listen(path); err == nil || !strings.Contains(err.Error(), "bytes too long for a unix socket") {
		t.Errorf("the error is %v", err)
	}
}

// TestListenAtOnce starts several daemons on one stale socket: one gets it.
func TestListenAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := controltest.Socket(t)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		crashed, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		crashed.SetUnlinkOnClose(false)
		if err := crashed.Close(); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		got := make([]net.Listener, 8)
		for i := range got {
			all.Go(func() {
				if l, err := control.Listen(path); err == nil {
					got[i] = l
				}
			})
		}
		all.Wait()
		n := 0
		for _, l := range got {
			if l != nil {
				n++
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d of 8 daemons listen on one socket", n)
		}
	}
}
