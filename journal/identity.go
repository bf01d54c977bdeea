package journal

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"holdfast/journal/wal"
)

// keyIdentity is an entry of both files: role (u8), then the journal's
// identity. It tells a file from the other one's, and from another journal's.
const keyIdentity = "!id"

// What a file is for.
const (
	roleLive    = 'j'
	roleHistory = 'h'
)

// keyHistory is an entry of the live file: the serial of the commit of the
// history that has the runs which left last. A history whose newest serial is
// lower is an older one.
const keyHistory = "!history"

// ErrForeign says that the files in the folder do not belong together.
var ErrForeign = errors.New("the files do not belong together")

func newIdentity() (id wal.Identity) {
	rand.Read(id[:]) // never fails, as crypto/rand has it
	return id
}

func identityText(id wal.Identity) string { return hex.EncodeToString(id[:]) }

func identityEntry(role byte, id wal.Identity, serial uint64) op {
	key := []byte(keyIdentity)
	value := append(append(make([]byte, sealLen), role), id[:]...)
	seal(key, value, serial)
	return op{opPut, key, value}
}

// origin is what a file says of itself.
type origin struct {
	known bool
	role  byte
	id    wal.Identity
}

func originOf(payload []byte) origin {
	if len(payload) < 17 {
		return origin{}
	}
	return origin{known: true, role: payload[0], id: wal.Identity(payload[1:17])}
}

// belongs compares what the two files say of themselves, and the marker if it
// says something. It returns the journal's identity; none if no file has one.
func belongs(m marker, live, history origin) (wal.Identity, error) {
	const exchange = "give each file its own name again (holdfast journal salvage), or restore both from a backup (holdfast journal restore)"
	switch {
	case live.known && history.known && live.role == roleHistory && history.role == roleLive:
		return wal.Identity{}, fmt.Errorf("%s is %s's file and %s is %s's: they were exchanged: %s: %w",
			liveName, historyName, historyName, liveName, exchange, ErrForeign)
	case live.known && live.role != roleLive:
		return wal.Identity{}, fmt.Errorf("%s is a copy of %s, the live runs are not in it: put the right file in its place, "+
			"restore both from a backup (holdfast journal restore), or have what is left put together (holdfast journal salvage): %w", liveName, historyName, ErrForeign)
	case history.known && history.role != roleHistory:
		return wal.Identity{}, fmt.Errorf("%s is a copy of %s, the ended runs are not in it: put the right file in its place, "+
			"restore both from a backup (holdfast journal restore), or have what is left put together (holdfast journal salvage): %w", historyName, liveName, ErrForeign)
	}
	var id wal.Identity
	from := ""
	for _, f := range []struct {
		name string
		o    origin
	}{{markerName, origin{known: m.id != wal.Identity{}, id: m.id}}, {liveName, live}, {historyName, history}} {
		switch {
		case !f.o.known:
		case from == "":
			id, from = f.o.id, f.name
		case !bytes.Equal(id[:], f.o.id[:]):
			return id, fmt.Errorf("%s is of journal %s, %s of journal %s: put the right file in its place, or do without it (holdfast journal salvage): %w",
				from, identityText(id), f.name, identityText(f.o.id), ErrForeign)
		}
	}
	return id, nil
}
