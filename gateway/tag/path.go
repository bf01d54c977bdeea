package tag

import (
	"fmt"
	"strings"
)

// Path names a tag: segments of [A-Za-z0-9_.-], joined by "/".
type Path string

// MaxPath is the longest Path, in bytes.
const MaxPath = 256

// ParsePath checks s and returns it as a Path. The error says which character
// or segment is wrong.
func ParsePath(s string) (Path, error) {
	if s == "" {
		return "", fmt.Errorf("a tag path is empty")
	}
	if len(s) > MaxPath {
		return "", fmt.Errorf("tag path %.20q… has %d bytes, at most %d are allowed", s, len(s), MaxPath)
	}
	for seg := range strings.SplitSeq(s, "/") {
		if seg == "" {
			return "", fmt.Errorf("tag path %q has an empty segment", s)
		}
		for _, r := range seg {
			if !pathRune(r) {
				return "", fmt.Errorf("tag path %q: %q is not allowed, a segment has [A-Za-z0-9_.-]", s, r)
			}
		}
	}
	return Path(s), nil
}

func pathRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return r == '_' || r == '.' || r == '-'
}
