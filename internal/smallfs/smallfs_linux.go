package smallfs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// FS is a mounted file system.
type FS struct {
	t   testing.TB
	Dir string
}

// inside says that the process has a user namespace of its own to mount in.
const inside = "HOLDFAST_TEST_SMALLFS"

// Mount mounts a file system of size bytes until the test ends. Who is not root
// cannot: the test is then run by a process in a user namespace of its own, and
// nil is returned, with nothing left to do but to return. Where there are no user
// namespaces the test is skipped.
func Mount(t testing.TB, size int64) *FS {
	t.Helper()
	f := &FS{t, t.TempDir()}
	err := unix.Mount("holdfast-test", f.Dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=0700,size=%d", size))
	if err == nil {
		t.Cleanup(func() {
			if err := unix.Unmount(f.Dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		return f
	}
	if os.Getenv(inside) != "" || !errors.Is(err, unix.EPERM) {
		t.Fatalf("cannot mount: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		t.Logf("in a user namespace:\n%s", out)
	case errors.As(err, &exit):
		t.Fatalf("in a user namespace: %v\n%s", err, out)
	default:
		t.Skipf("neither root nor user namespaces: %v", err)
	}
	return nil
}

func (f *FS) filler() string { return filepath.Join(f.Dir, "filler") }

// Fill leaves so many bytes free, rounded down to pages.
func (f *FS) Fill(left int64) {
	f.t.Helper()
	file, err := os.OpenFile(f.filler(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	b := make([]byte, 64<<10)
	for free := f.Free() - left; free > 0; free = f.Free() - left {
		if _, err := file.Write(b[:min(free, int64(len(b)))]); err != nil && !errors.Is(err, unix.ENOSPC) {
			f.t.Fatal(err)
		}
	}
}

// Empty takes away what Fill has put there.
func (f *FS) Empty() {
	f.t.Helper()
	if err := os.Remove(f.filler()); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
}

// Free returns how many bytes are free.
func (f *FS) Free() int64 {
	f.t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(f.Dir, &st); err != nil {
		f.t.Fatal(err)
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
