package logsink

import (
	"bytes"
	"slices"
)

// batch holds lines that are written together.
type batch struct {
	text []byte
	keep []span // the lines in text to keep if they cannot be written
	rest int    // end of the rest of an earlier line; 0 if text begins with a whole line
	own  int    // end of the lines that were pending; take added what follows

	said   uint64 // lost lines that a line in text reports
	saidAt int    // bytes of text to write until that line has begun; a line that has begun is always finished
}

// span is the position of a line.
type span struct{ from, to int }

func (b *batch) add(line []byte, keep bool) {
	from := len(b.text)
	b.text = append(b.text, line...)
	if keep {
		b.keep = append(b.keep, span{from, len(b.text)})
	}
}

// begin inserts, before everything else, the rest of a line whose beginning is
// already written.
func (b *batch) begin(rest []byte) {
	n := len(rest)
	if n == 0 {
		return
	}
	b.text = slices.Insert(b.text, 0, rest...)
	for i := range b.keep {
		b.keep[i].from += n
		b.keep[i].to += n
	}
	b.rest, b.own, b.saidAt = n, b.own+n, b.saidAt+n
}

// unwritten returns what remains after only written bytes were written: the rest of
// a partly written line, copies of the lines to keep, and how many other lines are
// lost.
func (b *batch) unwritten(written int) (rest []byte, kept [][]byte, lost int) {
	next := max(written, b.rest) // start of the first line that was not written at all
	if next > 0 && b.text[next-1] != '\n' {
		next += bytes.IndexByte(b.text[next:], '\n') + 1
	}
	rest = bytes.Clone(b.text[written:next])
	if next < b.own {
		lost = bytes.Count(b.text[next:b.own], []byte{'\n'})
	}
	for _, s := range b.keep {
		if s.from < next {
			continue
		}
		kept = append(kept, bytes.Clone(b.text[s.from:s.to]))
		if s.to <= b.own {
			lost--
		}
	}
	return rest, kept, lost
}

// ring keeps the newest lines, up to MaxKept bytes.
type ring struct {
	lines [][]byte
	bytes int
}

// push keeps a copy of line and returns how many lines were dropped for that, 1 if
// line itself is too long.
func (r *ring) push(line []byte) (gone int) {
	if len(line) > MaxKept {
		return 1
	}
	for ; r.bytes+len(line) > MaxKept; gone++ {
		r.bytes -= len(r.lines[0])
		r.lines = r.lines[1:]
	}
	r.lines = append(r.lines, bytes.Clone(line))
	r.bytes += len(line)
	return gone
}
