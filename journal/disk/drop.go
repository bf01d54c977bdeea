package disk

import "golang.org/x/sys/unix"

// Drop has the kernel forget what it keeps in memory of f, which is synced. It
// keeps a file in blocks as large as the writes and reads that brought it there;
// a write of one page into a large block costs more to sync, and Linux counts
// all of the block as written (write_bytes). After Drop, blocks are as large as
// what is written then. It is advice: a file system that does not take it loses
// nothing.
func Drop(f File) {
	if f, ok := f.(Dropper); ok {
		f.Drop()
	}
}

// Dropper is a File that Drop has an effect on; one around another passes it on.
type Dropper interface{ Drop() }

func (f file) Drop() { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }
