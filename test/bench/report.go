//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// The results of a document stand between these lines.
const (
	resultsBegin = "<!-- results: begin -->\n"
	resultsEnd   = "<!-- results: end -->\n"
)

// report is what one run found.
type report struct {
	cores    int
	versions []string
	tables   []table
}

// table is one section of the report. Its first column is the contestant.
type table struct {
	title  string
	header []string
	rows   [][]string
	notes  []string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (r report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "One run on a machine with %d cores. %s.\n", r.cores, strings.Join(r.versions, "; "))
	for _, t := range r.tables {
		t.markdown(&b)
	}
	return b.String()
}

func (t table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n", t.title)
	fmt.Fprintf(b, "| %s |\n|%s%s\n", strings.Join(t.header, " | "), "---|", strings.Repeat("---:|", len(t.header)-1))
	for _, row := range t.rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	for _, note := range t.notes {
		fmt.Fprintf(b, "\n%s\n", note)
	}
}

// write replaces the results in a document.
func (r report) write(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("writing the results: %w", err)
	}
	before, rest, begins := bytes.Cut(text, []byte(resultsBegin))
	_, after, ends := bytes.Cut(rest, []byte(resultsEnd))
	if !begins || !ends {
		return fmt.Errorf("writing the results: %s lacks the lines %q and %q", path, resultsBegin, resultsEnd)
	}
	out := string(before) + resultsBegin + r.markdown() + resultsEnd + string(after)
	return os.WriteFile(path, []byte(out), 0o644)
}
