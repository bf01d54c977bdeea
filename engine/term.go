package engine

import (
	"crypto/sha256"
	"fmt"
	"strings"
)

// term is what the journal finds an ended run by: a word and a value, or, of a
// value that is too long for it, a hash.
func term(word, v string) string {
	const most = 128
	if len(word)+1+len(v) > most || strings.IndexByte(v, 0) >= 0 {
		return fmt.Sprintf("%s#%x", word, sha256.Sum256([]byte(v)))
	}
	return word + "=" + v
}

// termsOf returns the terms that a run ends with.
func termsOf(i *RunInfo) []string {
	out := []string{term("workflow", i.Workflow), term("status", string(i.Status))}
	if i.Partition != "" {
		out = append(out, term("partition", i.Partition))
	}
	if i.Queue != "" && i.Queue != "default" {
		out = append(out, term("queue", i.Queue))
	}
	return out
}

// term returns what fewest of the ended runs that f wants are likely to be
// found by; "": all of them have to be looked at.
func (f *Filter) term() string {
	switch {
	case f.Partition != "":
		return term("partition", f.Partition)
	case f.Status == Error || f.Status == Cancelled:
		return term("status", string(f.Status))
	case f.Workflow != "":
		return term("workflow", f.Workflow)
	case f.Status != "":
		return term("status", string(f.Status))
	}
	return ""
}
