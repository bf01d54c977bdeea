package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestListenOnFullDisk: where no folder can be made any more the socket is made
// in its place, in place of one that is left over, with the same mode. It sets the
// umask, and so does not run beside others.
func TestListenOnFullDisk(t *testing.T) {
	dir, err := os.MkdirTemp("", "h")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	full := func(string, string) (string, error) {
		return "", &os.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOSPC}
	}
	path := filepath.Join(dir, "s")
	for range 2 {
		l, err := listen(path, full)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != fs.ModeSocket|socketMode {
			t.Fatalf("%v, %v", info, err)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if err := l.(*listener).UnixListener.Close(); err != nil { // as a kill leaves it
			t.Fatal(err)
		}
		if err := l.(*listener).lock.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Fatal("the socket is not left over")
		}
	}
	file, err := os.Create(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Mode()&0o600 != 0o600 {
		t.Errorf("the umask stays: %v, %v", info.Mode(), err)
	}
}
