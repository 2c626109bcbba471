package config

import "fmt"

// didYouMean is a hint that names the candidate a mistyped word most likely
// meant; empty when none is near.
func didYouMean(word string, candidates []string) string {
	if near := nearest(word, candidates); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return ""
}

// nearest is the candidate the fewest edits away: at most one edit for each
// three letters begun. A long word is near nothing.
func nearest(word string, candidates []string) (near string) {
	const longest = 64
	if len(word) > longest {
		return ""
	}
	best := (len(word)+2)/3 + 1
	for _, c := range candidates {
		if d := distance(word, c); d < best {
			best, near = d, c
		}
	}
	return near
}

// distance is Levenshtein's, with two neighbours swapped counting as one edit.
func distance(a, b string) int {
	var before, last []int // the rows for a[:i-2] and a[:i-1]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			row[j] = min(last[j], row[j-1]) + 1
			if a[i-1] == b[j-1] {
				row[j] = min(row[j], last[j-1])
			} else {
				row[j] = min(row[j], last[j-1]+1)
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
