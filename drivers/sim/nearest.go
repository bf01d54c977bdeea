package sim

import (
	"fmt"

	"holdfast/internal/nearest"
)

// meant asks whether one of words was meant by s; "" where none is near.
func meant(s string, words []string) string {
	if w := nearest.Word(s, words); w != "" {
		return fmt.Sprintf(" (did you mean %q?)", w)
	}
	return ""
}
