package script

import (
	"fmt"
	"maps"
	"slices"

	"holdfast/internal/nearest"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// suggest returns ` (did you mean x?)` where one of the known words is near.
func suggest(word string, known []string) string {
	if n := nearest.Word(word, known); n != "" {
		return fmt.Sprintf(" (did you mean %s?)", n)
	}
	return ""
}
