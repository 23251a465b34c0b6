// Package logsink writes log lines and never makes anyone wait for their
// reader. Lines are gathered in memory, and a single goroutine writes whatever
// has gathered since its last write: an idle process writes a line at once, a
// busy one writes many together, every 50 ms, at a time as many as a pipe takes in
// one piece.
//
// When the reader stalls or the disk is full, lines are dropped and counted.
// Lines of level error are kept, as many as fit into MaxKept, until they can be
// written.
package logsink

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

// Bounds of the memory that is held for a reader that does not read, in bytes.
const (
	MaxPending = 4 << 20   // lines gathered, and those being written
	MaxKept    = 256 << 10 // lines of level error that found no room there
)

const (
	// writeInterval is the least time between two writes, unless writeSize bytes have
	// gathered: lines share a system call, and a wake-up of the process.
	writeInterval = 50 * time.Millisecond
	writeSize     = 64 << 10
	// retry is the time between two writes while they fail.
	retry = time.Second
	// stallTimeout is how long a write may take before the reader counts as stalled,
	// and how long Close waits for the last one.
	stallTimeout = time.Second
	// keepBuffer is the largest buffer kept between writes, in bytes.
	keepBuffer = 256 << 10
)

// errStalled is what Close returns when the reader took nothing in time.
var errStalled = errors.New("the log's reader does not read")

// Sink takes log lines. All methods may be called concurrently, and none waits
// for the reader, except Close, which waits for at most a second.
type Sink struct {
	out      io.Writer
	lostLine func(lines uint64) []byte
	journal  bool
	wake     chan struct{} // there is something to write
	full     chan struct{} // there is much to write
	closing  chan struct{}
	done     chan struct{}

	mu      sync.Mutex
	pending batch
	kept    ring
	spare   []byte
	flight  batch     // being written
	written int       // bytes of flight that are
	since   time.Time // when that write began; zero = none
	lost    uint64    // lines, since the start
	unsaid  uint64    // lost lines that no line has mentioned
	rest    []byte    // of a line that was written in part
	line    []byte    // with its priority; valid while it is added
	err     error     // of the last write
	closed  bool      // Close was called
	ended   bool      // Close has counted what is lost: nothing more is written
}

// New starts the writing goroutine. Close ends it. lostLine makes the line that
// says how many lines were lost; it is written once lines can be written again.
// nil = no such line. journal says that out is systemd's journal, to which each line
// begins with its priority (sd-daemon(3)).
func New(out io.Writer, lostLine func(lines uint64) []byte, journal bool) *Sink {
	s := &Sink{
		out: out, lostLine: lostLine, journal: journal,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	if s.lostLine == nil {
		s.lostLine = func(uint64) []byte { return nil }
	}
	go s.run()
	return s
}

// WriteLine takes a copy of a line, its line end included.
func (s *Sink) WriteLine(level zapcore.Level, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := level >= zapcore.ErrorLevel
	if s.journal {
		s.line = append(append(s.line[:0], priority(level)...), line...)
		line = s.line
	}
	switch {
	case !s.closed && len(s.flight.text)+len(s.pending.text)+len(line) <= MaxPending:
		s.pending.add(line, keep)
	case !s.closed && keep:
		s.countLost(s.kept.push(line))
	default:
		s.countLost(1)
	}
	signal(s.wake)
	if len(s.pending.text) >= writeSize {
		signal(s.full)
	}
}

// priority is how a line of a level begins on the journal.
func priority(level zapcore.Level) string {
	switch {
	case level >= zapcore.ErrorLevel:
		return "<3>"
	case level == zapcore.WarnLevel:
		return "<4>"
	case level == zapcore.InfoLevel:
		return "<6>"
	default:
		return "<7>"
	}
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// countLost counts lost lines. s.mu is held.
func (s *Sink) countLost(lines int) {
	s.lost += uint64(lines)
	s.unsaid += uint64(lines)
}

// Status is how the log fares.
type Status struct {
	Lost   uint64 // lines, since the start
	Behind bool   // the reader is stalled, or writing fails
}

// Status returns how the log fares now.
func (s *Sink) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	stalled := !s.since.IsZero() && time.Since(s.since) >= stallTimeout
	return Status{Lost: s.lost, Behind: stalled || s.err != nil || s.unsaid > 0}
}

// AddLost counts lines that another process lost, which wrote to the same log. A
// line says so, as of those that this one loses.
func (s *Sink) AddLost(lines uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += lines
	s.unsaid += lines
	signal(s.wake)
}

// Close tries once more to write what is pending and ends the goroutine. Later
// lines are lost. It returns how many lines are lost that no line has mentioned, and
// an error if not everything was written within a second.
func (s *Sink) Close() (unsaid uint64, err error) {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	timer := time.NewTimer(stallTimeout)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended = true
		if len(s.flight.text) > 0 {
			s.err = errStalled
			s.failed()
			s.settle()
		}
		if len(s.rest) > 0 { // the line stays torn
			s.rest = nil
			s.countLost(1)
		}
		s.countLost(bytes.Count(s.pending.text, []byte{'\n'}) + len(s.kept.lines))
		s.pending, s.kept = batch{}, ring{}
	}
	return s.unsaid, s.err
}

// run writes a line at once after a pause, and else whatever has gathered. No timer
// runs while nothing has: at a few hundred requests a second, waking up for nothing
// costs more than writing.
func (s *Sink) run() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var next time.Time // of a write
	full := s.full
	for {
		if full != nil { // else there are lines left
			select {
			case <-s.wake:
			case <-s.closing:
			}
		}
		if wait := time.Until(next); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-full:
			case <-s.closing:
			}
		}
		last := s.isClosed()
		written := s.flush()
		if last {
			return
		}
		if next, full = time.Now().Add(writeInterval), s.full; !written {
			next, full = time.Now().Add(retry), nil
		}
	}
}

func (s *Sink) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// flush writes what there is, and reports whether all of it was written.
func (s *Sink) flush() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.take()
	if len(s.flight.text) == 0 {
		return true
	}
	for s.written < len(s.flight.text) && !s.ended {
		piece := firstPiece(s.flight.text[s.written:])
		s.mu.Unlock()
		n, err := s.out.Write(piece)
		s.mu.Lock()
		if s.ended {
			break // all that was not written by then counts as lost
		}
		s.written += max(0, min(n, len(piece)))
		if err == nil && n < len(piece) {
			err = io.ErrShortWrite
		}
		if s.err = err; err != nil {
			s.failed()
			break
		}
	}
	s.settle()
	if cap(s.flight.text) <= keepBuffer {
		s.spare = s.flight.text[:0]
	}
	s.flight, s.since = batch{}, time.Time{}
	return s.err == nil
}

// atomicWrite is how much a pipe takes in one piece, in bytes (PIPE_BUF on Linux). A
// longer line may be torn by another process that writes to the same log, or by the
// end of this one.
const atomicWrite = 4096

// firstPiece is as many whole lines as are written at a time, at least one.
func firstPiece(lines []byte) []byte {
	if len(lines) <= atomicWrite {
		return lines
	}
	end := bytes.LastIndexByte(lines[:atomicWrite], '\n') + 1
	if end == 0 {
		end = bytes.IndexByte(lines, '\n') + 1
	}
	if end == 0 {
		return lines
	}
	return lines[:end]
}

// take puts into flight everything that is to be written: what is pending, the
// line that says how many were lost, and the lines that were kept. s.mu is held.
func (s *Sink) take() {
	b := s.pending
	s.pending = batch{text: s.spare}
	s.spare = nil
	b.own = len(b.text)
	if s.unsaid > 0 {
		b.said = s.unsaid
		if s.journal {
			b.text = append(b.text, priority(zapcore.WarnLevel)...)
		}
		b.text = append(b.text, s.lostLine(b.said)...)
		b.saidAt = min(b.own+1, len(b.text))
	}
	for _, line := range s.kept.lines {
		b.add(line, true)
	}
	s.kept = ring{}
	b.begin(s.rest)
	s.rest = nil
	if len(b.text) > 0 {
		s.since = time.Now()
	}
	s.flight, s.written = b, 0
}

// settle takes off what the batch in flight has said of lost lines. s.mu is held.
func (s *Sink) settle() {
	if s.written >= s.flight.saidAt {
		s.unsaid -= s.flight.said
		s.flight.said = 0
	}
}

// failed counts what is in flight and was not written, and keeps the lines that are
// to be kept. s.mu is held.
func (s *Sink) failed() {
	rest, kept, lost := s.flight.unwritten(s.written)
	s.rest = rest
	newer := s.kept.lines
	s.kept = ring{}
	for _, line := range append(kept, newer...) {
		s.countLost(s.kept.push(line))
	}
	s.countLost(lost)
}
