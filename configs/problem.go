package configs

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tlslift/proxy/redact"
)

// The values of Problem.File if there is no file.
const (
	fromEnvironment = "environment" // Key is the variable's name
	fromFlag        = "flag"        // Key is the flag's name, dashes included
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File    string // path as given, "environment" or "flag"; "" = built-in default
	Line    int    // from 1; 0 = no line
	Key     string // such as limits.header_bytes or listen[1].address; "" = the whole file
	Message string // what is wrong
	Fix     string // what to do; "" = Message says so

	path string // of the key, even if Key is a variable or flag
}

// Error returns "file:line: key: message; fix" without empty parts.
func (p Problem) Error() string {
	place := p.File
	if p.Line > 0 {
		place += ":" + strconv.Itoa(p.Line)
	}
	text := p.Message
	for _, before := range []string{p.Key, place} {
		if before != "" {
			text = before + ": " + text
		}
	}
	if p.Fix != "" {
		text += "; " + p.Fix
	}
	return text
}

// Problems is everything that is wrong with a configuration: the problems of the
// file by line, then those of the environment, then those of the flags.
type Problems []Problem

// Error returns the problems, one per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// sort puts the problems in the order that Problems promises. It keeps the order
// within a line.
func (p Problems) sort() {
	rank := map[string]int{fromEnvironment: 1, fromFlag: 2}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(rank[a.File]-rank[b.File], a.Line-b.Line)
	})
}

// maxProblems bounds the output for a hostile or foreign file.
const maxProblems = 1000

// report records a problem that already has its place.
func (l *loader) report(p Problem) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, p)
	}
}

// reportLine records a problem with a line of the file.
func (l *loader) reportLine(line int, key, message, fix string) {
	l.report(Problem{File: l.file, Line: line, Key: key, Message: message, Fix: fix})
}

// reject records that the key at path is wrong.
func (l *loader) reject(path, message, fix string) {
	at := l.origins[path]
	at.refused = true
	l.origins[path] = at
	l.report(l.origins.problem(path, message, fix))
}

// flawed rejects the key at a path for the first flaw that is there, and reports
// whether it did.
func (l *loader) flawed(path string, flaws ...flaw) bool {
	wrong, ok := errors.AsType[Problem](firstFlaw("", flaws...))
	if ok {
		l.reject(path, wrong.Message, wrong.Fix)
	}
	return ok
}

// origin is where a value was given.
type origin struct {
	file string // as in Problem.File
	line int
	name string // of the variable or flag; "" = the key's own path

	refused bool // the value was wrong, so the default or nothing is used instead
}

// origins maps the path of a key, such as limits.header_bytes, to where the key
// was given. It does not contain keys that were not given.
type origins map[string]origin

// Problem returns a problem with the key at path, such as upstreams[1].host, at
// the place where the key or its nearest parent was given. It is for findings
// that need more than the configuration itself, such as the content of a file, a
// certificate's constraints, or an answer from the network.
func (c *Config) Problem(path, message, fix string) Problem {
	return c.origins.problem(path, message, fix)
}

// Given reports whether a key was set in the file, by a variable or by a flag.
func (c *Config) Given(path string) bool { _, ok := c.origins[path]; return ok }

func (o origins) problem(path, message, fix string) Problem {
	p := Problem{Key: path, Message: message, Fix: fix, path: path}
	for above := path; above != ""; above = parentOf(above) {
		if at, ok := o[above]; ok {
			p.File, p.Line, p.Key = at.file, at.line, cmp.Or(at.name, path)
			break
		}
	}
	return p
}

// given reports whether the key at path was set to a value that is valid by
// itself, rather than left at its default.
func (l *loader) given(path string) bool {
	at, ok := l.origins[path]
	return ok && !at.refused
}

// sound reports whether no value at the paths, nor any that contains it, was
// rejected. If one was, checks between keys are meaningless.
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

// untouched reports whether the key and everything below it are sound.
func (l *loader) untouched(path string) bool {
	for at, place := range l.origins {
		if place.refused && below(at, path) {
			return false
		}
	}
	return l.sound(path)
}

// below reports whether at is path or below it.
func below(at, path string) bool {
	rest, ok := strings.CutPrefix(at, path)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parentOf returns the path above path: a.b for a.b.c and for a.b[2].
func parentOf(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// keyOf returns the path of the key called name in the section at path.
func keyOf(path, name string) string {
	if path == "" {
		return printable(name)
	}
	return path + "." + printable(name)
}

// entryOf returns the path of entry i of the list at path.
func entryOf(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// quoted returns a value for a message: quoted, escaped and shortened, without
// what may be a password.
func quoted(text string) string { return strconv.Quote(shortened(redact.Value(text))) }

// printable returns a key for a message, quoted unless it is harmless.
func printable(name string) string {
	text := strconv.Quote(shortened(name))
	if plain := text[1 : len(text)-1]; plain != "" && !strings.ContainsAny(plain, ` \`) {
		return plain
	}
	return text
}

// shortened shortens text for a message.
func shortened(text string) string {
	cut := 60
	if len(text) <= cut {
		return text
	}
	for cut > 0 && !utf8.RuneStart(text[cut]) { // a variable may not be UTF-8 at all
		cut--
	}
	return text[:cut] + "..."
}
