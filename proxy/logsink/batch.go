package logsink

import (
	"bytes"
	"slices"
)

// batch is lines that are written together.
type batch struct {
	text []byte
	keep []span // the lines in text that are to be kept
	rest int    // where the rest of an earlier line ends; 0 = text begins with a line
	own  int    // where the lines end that were pending: what follows was added by take

	said   uint64 // lines that a line of it says are lost
	saidAt int    // how much of text is written once that line is begun; it is finished later, if it must be
}

// span is where a line begins and ends.
type span struct{ from, to int }

func (b *batch) add(line []byte, keep bool) {
	from := len(b.text)
	b.text = append(b.text, line...)
	if keep {
		b.keep = append(b.keep, span{from, len(b.text)})
	}
}

// begin puts the rest of a line of which the beginning is written already
// before everything else.
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

// unwritten says what is left when so many bytes were written: the rest of the
// line that was written in part, copies of the lines that are to be kept, and
// how many others are lost.
func (b *batch) unwritten(written int) (rest []byte, kept [][]byte, lost int) {
	next := max(written, b.rest) // where the first line begins of which nothing was written
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

// ring keeps the newest lines, MaxKept bytes of them.
type ring struct {
	lines [][]byte
	bytes int
}

// push keeps a copy of a line and returns how many lines had to go for it.
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
