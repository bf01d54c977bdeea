package cli

import (
	"strings"

	"holdfast/internal/nearest"
)

// meant returns the name that word was most likely meant to be: one that it
// begins, or that is near; else "".
func meant(word string, names []string) string {
	for _, n := range names {
		if word != "" && strings.HasPrefix(n, strings.ToLower(word)) {
			return n
		}
	}
	return nearest.Word(word, names)
}
