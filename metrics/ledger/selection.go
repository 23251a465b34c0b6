package ledger

import (
	"errors"
	"slices"

	"tlslift/proxy/suggest"
)

// Words that select clients by something other than their state.
const (
	SelectRegressed   = "regressed"   // declared migrated, and insecure since
	SelectMisdeclared = "misdeclared" // declared migrated, but never seen making a call
	SelectFailing     = "failing"     // cannot call: its TLS handshakes fail
)

// Selections returns every word that selects clients: the states, then
// the words above.
func Selections() []string {
	words := make([]string, 0, len(States)+3)
	for _, s := range States {
		words = append(words, s.String())
	}
	return append(words, SelectRegressed, SelectMisdeclared, SelectFailing)
}

// Selection is a set of words from Selections. It selects the clients that match
// any of its words; without words it selects every client.
type Selection []string

// ParseSelection checks words. Its error names the first unknown one.
func ParseSelection(words ...string) (Selection, error) {
	known := Selections()
	for _, word := range words {
		if !slices.Contains(known, word) {
			return nil, errors.New(suggest.Unknown("state", word, known))
		}
	}
	return words, nil
}

// Selects reports whether the client is selected.
func (s Selection) Selects(r *Row) bool {
	return len(s) == 0 || slices.ContainsFunc(s, func(word string) bool {
		switch word {
		case SelectRegressed:
			return r.Regressed
		case SelectMisdeclared:
			return r.Misdeclared
		case SelectFailing:
			return r.Failing
		}
		return r.State.String() == word
	})
}
