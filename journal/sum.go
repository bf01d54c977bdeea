package journal

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// keySum is an entry of both files: the sum of the checksums of all others. Each
// entry of a page that a disk has not written, and left as it was, is sound; that
// they do not belong to the rest shows here. It is the file's own: who reads or
// writes the store does not see it.
const keySum = "!sum"

// summand is what an entry adds to the sum: its CRC.
func summand(value []byte) uint64 {
	if len(value) < sealLen {
		return 0
	}
	return uint64(binary.BigEndian.Uint32(value))
}

// sumOf reads the entry; 0 if there is none, as in a file without others.
func sumOf(value []byte) (uint64, error) {
	if value == nil {
		return 0, nil
	}
	payload, _, err := unseal([]byte(keySum), value)
	if err != nil || len(payload) != 8 {
		return 0, fmt.Errorf("the entry %s: %w", keySum, errDamaged)
	}
	return readUint64(payload), nil
}

func putSum(b *bbolt.Bucket, sum uint64) error {
	value := appendUint64(make([]byte, sealLen), sum)
	seal([]byte(keySum), value, 0)
	return b.Put([]byte(keySum), value)
}

// addUp compares the sum with what was found. Where it does not match, and a leaf
// has damaged entries, all of that leaf may be of an earlier time; where no entry
// is known to be missing, any may.
func (in *inspection) addUp() {
	switch {
	case in.sum == in.said:
	case len(in.lost) == 0:
		in.fault("what it holds does not add up: a page is of an earlier time")
		in.lose(nil, nil)
	default:
		in.lost = append(in.lost, in.hurt...)
	}
}
