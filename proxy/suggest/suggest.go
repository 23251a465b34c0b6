// Package suggest makes the part of a message about an unknown word: which known
// word it may be a misspelling of, and which known words there are.
//
// The package is pure.
package suggest

import (
	"fmt"
	"strings"
)

// longest is the longest word, in bytes, that is worth comparing.
const longest = 64

// Nearest returns the one of the names that a slip of the keyboard turns into
// word, or "". Of names that are equally near, it is the one that has more of its
// beginning in common with word. Case does not count, and - and _ are the same.
func Nearest(word string, names []string) string {
	if len(word) > longest {
		return ""
	}
	word = fold(word)
	best, distance, beginning := "", len(word)/3+1, -1
	for _, name := range names {
		d, common := edits(word, fold(name)), commonPrefix(word, fold(name))
		if d < distance || d == distance && common > beginning {
			best, distance, beginning = name, d, common
		}
	}
	return best
}

// Unknown says that a word is unknown, which known word it may be, and which ones
// there are. what names the word's kind, such as "state".
func Unknown(what, word string, among []string) string {
	write := "write "
	if near := Nearest(word, among); near != "" {
		write = "did you mean " + near + "? Write "
	}
	if len(word) > longest {
		word = word[:longest] + "..."
	}
	return fmt.Sprintf("unknown %s %q; %s%s", what, word, write, OneOf(among))
}

// OneOf joins words as a sentence does: "a, b or c".
func OneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func fold(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }

// commonPrefix returns how many bytes a and b have in common at their beginning.
func commonPrefix(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

// edits returns the Levenshtein distance of a and b, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
