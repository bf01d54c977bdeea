package journal

import "encoding/binary"

// Keys begin with one byte that names their table, so that one flat, ordered
// key space holds all of them: it is what every store can offer. FORMAT.md
// describes each byte.
const (
	keyFormat = "!format" // in both files, before every other key
	keyFloor  = "n"       // highest run number that ever left the live file

	tableID     = 'i' // both: id → run
	tableRun    = 'r' // live: everything of one run, side by side
	tableScript = 's' // live: hash → source; history: hash, batch → nothing
	tableState  = 't' // live: what the engine keeps beside its runs
)

// Parts of a run in the live file, in the order in which they sort.
const (
	partHeader  = 0
	partRecord  = 1
	partMessage = 2
	partEnd     = 3
	partAmend   = 4
	partDamage  = 5
)

// runKeyLen is the length of a run's key up to and with the part.
const runKeyLen = 1 + 8 + 1

// Key lengths of the parts that have more than one entry.
const (
	recordKeyLen  = runKeyLen + 4 + 1
	messageKeyLen = runKeyLen + 8
	amendKeyLen   = runKeyLen + 8
)

func appendRun(b []byte, table byte, run uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, table), run)
}

func appendPart(b []byte, run uint64, part byte) []byte {
	return append(appendRun(b, tableRun, run), part)
}

func appendRecordKey(b []byte, run uint64, seq uint32, kind Kind) []byte {
	b = appendPart(b, run, partRecord)
	return append(binary.BigEndian.AppendUint32(b, seq), byte(kind))
}

func appendNumbered(b []byte, run uint64, part byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPart(b, run, part), n)
}

func appendID(b []byte, id string) []byte { return append(append(b, tableID), id...) }

// appendStateKey appends the key of an entry of the engine's own tables.
func appendStateKey(b []byte, table, key string) []byte {
	b = append(append(b, tableState), table...)
	return append(append(b, 0), key...)
}

func runKey(table byte, run uint64) []byte { return appendRun(nil, table, run) }

// runRange returns the bounds of everything that the live file holds of a run.
func runRange(run uint64) (from, to []byte) {
	return runKey(tableRun, run), after(runKey(tableRun, run))
}

// after returns the smallest key that is greater than every key that begins
// with prefix; nil if there is none.
func after(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			next := append([]byte(nil), prefix[:i+1]...)
			next[i]++
			return next
		}
	}
	return nil
}

// splitRunKey takes the key of a part of a run in the live file apart.
func splitRunKey(key []byte) (run uint64, part byte, ok bool) {
	if len(key) < runKeyLen || key[0] != tableRun {
		return 0, 0, false
	}
	part = key[runKeyLen-1]
	want := runKeyLen
	switch part {
	case partHeader, partEnd, partDamage:
	case partRecord:
		want = recordKeyLen
	case partMessage, partAmend:
		want = messageKeyLen
	default:
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(key[1:]), part, len(key) == want
}
