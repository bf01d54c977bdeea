package journal

// opKind says what an operation does.
type opKind uint8

const (
	opPut         opKind = iota // key gets value
	opRemove                    // key goes; that there is none is no error
	opRemoveRange               // every key with key <= k < value goes
)

// op is one change of a store.
type op struct {
	kind       opKind
	key, value []byte
}

// store is an ordered map of bytes that commits batches atomically. One
// goroutine commits; any number read at the same time, each read seeing one
// committed state. It is all that the journal asks of bbolt, so that another
// ordered store, on other machines, can take its place.
type store interface {
	// Commit applies the operations in order, all or none, and returns when
	// they are on disk. After an error it is not known whether they are. The
	// store does not keep the slices.
	Commit(ops []op) error
	// Get returns a copy of the value, nil if there is none.
	Get(key []byte) ([]byte, error)
	// Scan calls f with the entries from <= key < to, in order, until it
	// returns false; a nil to has no upper bound. The slices are valid during
	// the call only, and f must not call the store.
	Scan(from, to []byte, f func(key, value []byte) bool) error
}
