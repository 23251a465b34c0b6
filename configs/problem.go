package configs

import (
	"fmt"
	"slices"
	"strings"
)

// The values of Problem.File for what did not come from a file.
const (
	FromEnvironment = "environment" // Key is the variable's name
	FromFlag        = "flag"        // Key is the flag's name, dashes included
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File    string // path as given, FromEnvironment or FromFlag; "" = built-in default
	Line    int    // from 1; 0 = no line
	Key     string // such as limits.header_bytes or listen[1].address; "" = the whole file
	Message string // what is wrong
	Fix     string // what to do; "" = Message says it
}

// String returns "file:line: key: message; fix" without the parts that are
// empty.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Message)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// Problems is everything that is wrong with a configuration: those of the file
// by line, then those of the environment, then those of the flags.
type Problems []Problem

// Error returns the problems, one a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// sort puts the problems in the order that Problems promises, keeping the
// order of those of one line.
func (p Problems) sort() {
	rank := func(one Problem) int {
		switch one.File {
		case FromEnvironment:
			return 1
		case FromFlag:
			return 2
		default:
			return 0
		}
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return a.Line - b.Line
	})
}
