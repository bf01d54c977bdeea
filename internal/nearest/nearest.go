// Package nearest finds the known word that an unknown one was meant to be, for
// error messages.
package nearest

import "strings"

// Word returns the word of words that s was most likely meant to be, and ""
// where none is near: by the number of letters to insert, delete, replace or
// swap with their neighbour (optimal string alignment), case ignored. A word of
// up to five letters may differ in one, up to eight in two, else in three.
func Word(s string, words []string) string {
	if len(s) < 2 || len(s) > 256 {
		return ""
	}
	a := []rune(strings.ToLower(s))
	best, least := "", 1
	switch {
	case len(a) > 8:
		least = 3
	case len(a) > 5:
		least = 2
	}
	for _, w := range words {
		b := []rune(strings.ToLower(w))
		if len(b)-len(a) > least || len(a)-len(b) > least {
			continue
		}
		if d := distance(a, b); d <= least && (d < least || best == "") {
			best, least = w, d
		}
	}
	return best
}

func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j]+change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
