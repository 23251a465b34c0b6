// Package logsink writes log lines without making requests wait for the
// descriptor: lines are gathered in memory and a single goroutine writes
// whatever has gathered since its last write. An idle process writes a line at
// once; a busy one writes many with one system call, every two milliseconds.
package logsink

import (
	"io"
	"sync"
	"time"
)

// MaxPending bounds the memory held for a reader that does not read, in bytes.
// When it is reached, Write waits: a lost line would be a lost doubt.
const MaxPending = 4 << 20

// pace is the least time between two writes: at a thousand requests a second
// and more, lines share a system call.
const pace = 2 * time.Millisecond

// keepBuffer is the largest buffer kept between writes, in bytes.
const keepBuffer = 256 << 10

// Sink is a zapcore.WriteSyncer. All methods may be called concurrently.
type Sink struct {
	out io.Writer

	mu      sync.Mutex
	wake    *sync.Cond // something to write, or closed
	idle    *sync.Cond // everything written, or room again
	pending []byte
	spare   []byte
	writing bool
	closed  bool
	err     error         // of the last write
	hurry   chan struct{} // somebody waits: write now
	done    chan struct{}
}

// New starts the writing goroutine. Close ends it.
func New(out io.Writer) *Sink {
	s := &Sink{out: out, hurry: make(chan struct{}, 1), done: make(chan struct{})}
	s.wake = sync.NewCond(&s.mu)
	s.idle = sync.NewCond(&s.mu)
	go s.run()
	return s
}

// Write takes a copy of p. It waits only while MaxPending bytes are pending.
// It returns the error of an earlier write to the descriptor, if there was
// one, so that a full disk does not stay unnoticed.
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.out.Write(p)
	}
	for len(s.pending) > 0 && len(s.pending)+len(p) > MaxPending && !s.closed {
		s.hasten()
		s.idle.Wait()
	}
	wasEmpty := len(s.pending) == 0
	s.pending = append(s.pending, p...)
	if wasEmpty && !s.writing {
		s.wake.Signal()
	}
	return len(p), s.err
}

// Sync waits until everything written before it has reached the descriptor.
func (s *Sink) Sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for (len(s.pending) > 0 || s.writing) && !s.closed {
		s.hasten()
		s.idle.Wait()
	}
	return s.err
}

// Close writes what is pending and ends the goroutine. Later writes go
// straight to the descriptor.
func (s *Sink) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.hasten()
	s.wake.Signal()
	s.mu.Unlock()
	<-s.done
	return s.err
}

// hasten ends a pause between two writes. A pause that has not begun yet is
// ended when it does.
func (s *Sink) hasten() {
	select {
	case s.hurry <- struct{}{}:
	default:
	}
}

func (s *Sink) run() {
	defer close(s.done)
	s.mu.Lock()
	defer s.mu.Unlock()
	var wrote time.Time
	timer := time.NewTimer(pace)
	defer timer.Stop()
	for {
		for len(s.pending) == 0 && !s.closed {
			s.wake.Wait()
		}
		if early := pace - time.Since(wrote); early > 0 && !s.closed {
			s.mu.Unlock()
			timer.Reset(early)
			select {
			case <-timer.C:
			case <-s.hurry:
			}
			s.mu.Lock()
		}
		if len(s.pending) == 0 {
			s.idle.Broadcast()
			return
		}
		batch := s.pending
		s.pending = s.spare[:0]
		s.spare = nil
		s.writing = true
		s.mu.Unlock()

		_, err := s.out.Write(batch)
		wrote = time.Now()

		s.mu.Lock()
		s.writing = false
		s.err = err
		if cap(batch) <= keepBuffer {
			s.spare = batch
		}
		s.idle.Broadcast()
	}
}
