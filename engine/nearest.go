package engine

// nearest returns the name closest to word, "" if none is close.
func nearest(word string, names []string) string {
	best, dist := "", 1+len(word)/3
	for _, n := range names {
		if d := editDistance(word, n); d < dist || d == dist && best == "" {
			best, dist = n, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost = 1 + min(prev, row[j], row[j+1])
			}
			prev, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
