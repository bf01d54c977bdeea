package cli

import "strings"

// nearest returns the name that word was most likely meant to be: one that it
// begins, or that is at most two letters (one, of a short word) away; else "".
func nearest(word string, names []string) string {
	word = strings.ToLower(word)
	best, least := "", 2
	if len(word) < 4 {
		least = 1
	}
	for _, n := range names {
		if word != "" && strings.HasPrefix(n, word) {
			return n
		}
		if d := distance(word, n); d < least || d == least && best == "" {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
