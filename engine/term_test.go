package engine

import (
	"strings"
	"testing"

	"holdfast/journal"
	"holdfast/journal/journaltest"
)

// Whatever a workflow is called, the journal takes its terms, and different
// ones have different terms.
func TestTerms(t *testing.T) {
	t.Parallel()
	j := journaltest.Open(t)
	long := strings.Repeat("x", 300)
	seen := map[string]bool{}
	for run, name := range []string{"fill", long, long + "y", "a\x00b", "=", ""} {
		terms := termsOf(&RunInfo{Workflow: name, Status: Error, Partition: name, Queue: "q"})
		c := journal.Change{Run: uint64(run + 1), Start: &journal.Header{Run: uint64(run + 1), ID: string(rune('a' + run))}, End: []byte{1}, Terms: terms}
		if err := j.Writer().Commit(c); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
		if f := (&Filter{Workflow: name}); name != "" && (seen[f.term()] || f.term() != terms[0]) {
			t.Errorf("%.20q is looked for by %q", name, f.term())
		}
		seen[terms[0]] = true
	}
}
