package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// statePage is how many entries are read in one go.
const statePage = 256

// State calls yield with the entries of one of the engine's tables whose keys
// begin with prefix, in the order of their keys, until it returns false. yield
// may use the journal. An entry that cannot be read is left out, and is named in
// the error, which does not end the walk.
func (j *Journal) State(ctx context.Context, table, prefix string, yield func(key string, value []byte) bool) error {
	if err := j.settle(ctx); err != nil {
		return err
	}
	from := appendStateKey(nil, table, prefix)
	to := after(from)
	begin := len(appendStateKey(nil, table, ""))
	var unread []error
	for from != nil {
		if err := ctx.Err(); err != nil {
			return err
		}
		var page []Entry
		var next []byte
		err := j.live.Scan(from, to, func(key, value []byte) bool {
			if len(page) == statePage {
				next = clone(key)
				return false
			}
			payload, _, err := unseal(key, value)
			if err != nil {
				unread = append(unread, fmt.Errorf("%s: %w", describe(key), err))
				return true
			}
			page = append(page, Entry{Key: string(key[begin:]), Value: notNil(payload)})
			return true
		})
		if err != nil {
			return fmt.Errorf("cannot read the table %s: %w", table, err)
		}
		for _, e := range page {
			if !yield(e.Key, e.Value) {
				return errors.Join(unread...)
			}
		}
		from = next
	}
	return errors.Join(unread...)
}

// describeState names an entry of the engine's tables.
func describeState(key []byte) string {
	table, k, _ := strings.Cut(string(key[1:]), "\x00")
	return fmt.Sprintf("entry %q of table %s", k, table)
}
