// Package logsink writes log lines without making callers wait for the log's
// reader. Lines are buffered in memory, and a single goroutine writes those added
// since its last write. An idle process writes a line at once. A busy one writes
// many lines together, every 50 ms, in pieces that a pipe takes atomically.
//
// If the reader stalls or the disk is full, lines are dropped and counted. Lines of
// level error are kept until they can be written, up to MaxKept bytes.
package logsink

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"
)

// Limits of the memory held while the reader does not read, in bytes.
const (
	MaxPending = 4 << 20   // buffered lines, and those being written
	MaxKept    = 256 << 10 // lines of level error that did not fit there
)

const (
	// writeInterval is the minimum time between two writes, unless writeSize bytes
	// are pending. It lets lines share a system call and a wake-up of the process.
	writeInterval = 50 * time.Millisecond
	writeSize     = 64 << 10
	// retry is the time between two writes while writing fails.
	retry = time.Second
	// stallTimeout is how long a write may take before the reader counts as stalled,
	// and how long Close waits for the last write.
	stallTimeout = time.Second
	// keepBuffer is the largest buffer kept between writes, in bytes.
	keepBuffer = 256 << 10
)

// errStalled is the error of Close if the last write did not end in time.
var errStalled = errors.New("the log's reader does not read")

// Sink writes log lines. Its methods are safe for concurrent use. None waits for
// the reader, except Close, which waits for at most a second.
type Sink struct {
	out      io.Writer
	lostLine func(lines uint64) []byte
	journal  bool
	wake     chan struct{} // signalled when there is something to write
	full     chan struct{} // signalled when there is much to write
	closing  chan struct{}
	done     chan struct{}

	mu      sync.Mutex
	pending batch
	kept    ring
	spare   []byte
	flight  batch     // being written
	written int       // bytes of flight already written
	since   time.Time // when writing flight began; zero if none is in flight
	lost    uint64    // lines lost since the start
	unsaid  uint64    // lost lines that no line has reported yet
	rest    []byte    // rest of a partly written line
	line    []byte    // scratch space for a line with its priority
	err     error     // error of the last write
	closed  bool      // Close was called
	ended   bool      // Close has counted the lost lines; nothing more is written
}

// New returns a Sink and starts its writing goroutine, which Close ends. lostLine
// returns the line that reports how many lines were lost. It is written once lines
// can be written again. journal means that out is systemd's
// journal, where each line begins with its priority (sd-daemon(3)).
func New(out io.Writer, lostLine func(lines uint64) []byte, journal bool) *Sink {
	s := &Sink{
		out: out, lostLine: lostLine, journal: journal,
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go s.run()
	return s
}

// WriteLine adds a copy of line, which must include its line ending.
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

// priority returns the prefix of a journal line of the given level.
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

// countLost counts lost lines. The caller holds s.mu.
func (s *Sink) countLost(lines int) {
	s.lost += uint64(lines)
	s.unsaid += uint64(lines)
}

// Status is the state of the log.
type Status struct {
	Lost   uint64 // lines lost since the start
	Behind bool   // the reader is stalled, or writing fails
}

// Status returns the current state of the log.
func (s *Sink) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	stalled := !s.since.IsZero() && time.Since(s.since) >= stallTimeout
	return Status{Lost: s.lost, Behind: stalled || s.err != nil || s.unsaid > 0}
}

// AddLost counts lines that were lost by another process that wrote to the same
// log. The log reports them like the lines that this process loses.
func (s *Sink) AddLost(lines uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost += lines
	s.unsaid += lines
	signal(s.wake)
}

// Close tries once more to write the pending lines and ends the goroutine. Later
// lines are lost. Close returns how many lost lines no line has reported, and an
// error if not everything was written within a second.
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
		if len(s.rest) > 0 { // the line remains incomplete
			s.rest = nil
			s.countLost(1)
		}
		s.countLost(bytes.Count(s.pending.text, []byte{'\n'}) + len(s.kept.lines))
		s.pending, s.kept = batch{}, ring{}
	}
	return s.unsaid, s.err
}

// run writes a line at once after a pause, and otherwise whatever is pending. No
// timer runs while nothing is pending: at a few hundred requests a second, idle
// wake-ups cost more than writing.
func (s *Sink) run() {
	defer close(s.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var next time.Time // time of the next write
	full := s.full
	for {
		if full != nil { // else the last write failed
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

// flush writes everything that is pending, and reports whether all of it was
// written.
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
			break // Close has counted what was not written as lost
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

// atomicWrite is how many bytes a pipe takes atomically (PIPE_BUF on Linux). A
// longer line may be interleaved with lines of another process, or cut off when
// this process ends.
const atomicWrite = 4096

// firstPiece returns as many whole lines as fit atomicWrite, but at least one.
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

// take moves everything that must be written into flight: the pending lines, the
// line that reports lost lines, and the kept lines. The caller holds s.mu.
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

// settle subtracts the lost lines that the batch in flight has reported. The caller
// holds s.mu.
func (s *Sink) settle() {
	if s.written >= s.flight.saidAt {
		s.unsaid -= s.flight.said
		s.flight.said = 0
	}
}

// failed keeps the unwritten lines of level error and counts the others as lost.
// The caller holds s.mu.
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
