//go:build !linux

package smallfs

import "testing"

// FS is a mounted file system.
type FS struct{ Dir string }

// Mount skips the test: only Linux has a file system that is as easily made.
func Mount(t testing.TB, _ int64) *FS {
	t.Helper()
	t.Skip("needs Linux")
	return nil
}

// Fill leaves so many bytes free.
func (f *FS) Fill(int64) {}

// Empty takes away what Fill has put there.
func (f *FS) Empty() {}

// Free returns how many bytes are free.
func (f *FS) Free() int64 { return 0 }
