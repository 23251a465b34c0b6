package configs

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxProblems bounds what a hostile or foreign file can make us say.
const maxProblems = 1000

// loader reads one configuration and gathers what is wrong with it.
type loader struct {
	file     string // the configuration file's path, for messages
	dir      string // relative paths start here
	readable func(path string) error
	top      []key // the schema, for suggestions

	origins  origins
	problems Problems
}

// fault is what is wrong with a value, without its place.
type fault struct{ message, fix string }

func faultf(fix, format string, args ...any) *fault {
	return &fault{message: fmt.Sprintf(format, args...), fix: fix}
}

// reject records that the key at path is wrong.
func (l *loader) reject(path string, f *fault) {
	at := l.origins[path]
	at.refused = true
	l.origins[path] = at
	l.report(l.origins.problem(path, f.message, f.fix))
}

// report records a problem that has its place already.
func (l *loader) report(p Problem) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, p)
	}
}

// given reports whether the key at path was set to a value that is valid in
// itself, rather than left at its default.
func (l *loader) given(path string) bool {
	at, ok := l.origins[path]
	return ok && !at.refused
}

// sound reports whether no value at the paths, nor any that holds it, was
// refused: a check of keys against each other has nothing to say then.
func (l *loader) sound(paths ...string) bool {
	for _, path := range paths {
		for ; path != ""; path = parentOf(path) {
			if l.origins[path].refused {
				return false
			}
		}
	}
	return true
}

// keyOf returns the path of the key called name in the section at path.
func keyOf(path, name string) string {
	if path == "" {
		return printable(name)
	}
	return path + "." + printable(name)
}

// entryOf returns the path of the entry i of the list at path.
func entryOf(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// maxShown is how much of a value a message shows, in bytes.
const maxShown = 60

// quoted returns text for a message: quoted, escaped and cut.
func quoted(text string) string { return strconv.Quote(shortened(text)) }

// printable returns a key for a message: as it is when it is harmless, else
// quoted.
func printable(name string) string {
	name = shortened(name)
	if name == "" || strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || r == utf8.RuneError
	}) {
		return strconv.Quote(name)
	}
	return name
}

func shortened(text string) string {
	if len(text) <= maxShown {
		return text
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "..."
}
