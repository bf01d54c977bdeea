package journal

import "encoding/binary"

// Tables of history.db. Keys grow as runs end, so that bbolt fills its pages;
// lists are read backwards.
const (
	tableHeads  = 'h' // batch → headers and summaries of its runs
	tableBodies = 'b' // batch, chunk → their records and mailboxes
	tableEnded  = 'e' // run → batch, and a summary that replaces
	tableTerm   = 'x' // term, run → nothing
)

func headsKey(batch uint64) []byte  { return appendRun(nil, tableHeads, batch) }
func bodiesKey(batch uint64) []byte { return appendRun(nil, tableBodies, batch) }

func chunkKey(batch uint64, chunk uint32) []byte {
	return binary.BigEndian.AppendUint32(bodiesKey(batch), chunk)
}

func endedKey(run uint64) []byte { return runKey(tableEnded, run) }

// termPrefix begins the keys of all runs that are to be found by term.
func termPrefix(term []byte) []byte { return append(append([]byte{tableTerm}, term...), 0) }

func termKey(term []byte, run uint64) []byte {
	return binary.BigEndian.AppendUint64(termPrefix(term), run)
}

// usePrefix begins the keys of all batches with a run of that script.
func usePrefix(script string) []byte { return append(append([]byte{tableScript}, script...), 0) }

func useKey(script string, batch uint64) []byte {
	return binary.BigEndian.AppendUint64(usePrefix(script), batch)
}

// lastNumber returns what the last 8 bytes of key say, if they follow prefix.
func lastNumber(key, prefix []byte) (n uint64, ok bool) {
	if len(key) != len(prefix)+8 || string(key[:len(prefix)]) != string(prefix) {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[len(prefix):]), true
}
