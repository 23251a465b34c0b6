// Package suggest helps with error messages about unknown words: it finds the known
// word that may be meant, and lists the known words.
package suggest

import (
	"fmt"
	"strings"
)

// longest is the maximum length of a word to compare, in bytes.
const longest = 64

// Nearest returns the name that word is most likely a misspelling of, or "" if none
// is similar. Among names with the same edit distance, it returns the one with the
// longest common prefix. It ignores case, and treats - and _ as equal.
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

// Unknown returns a message that word is unknown, with the known word that may be
// meant and the list of known words. what is the kind of word, such as "state".
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

// OneOf joins words for use in a sentence: "a, b or c".
func OneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func fold(word string) string { return strings.ReplaceAll(strings.ToLower(word), "-", "_") }

// commonPrefix returns the length of the common prefix of a and b, in bytes.
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
