package logsink

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// gate is a writer that stops in Write until it is opened.
type gate struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
	open   chan struct{}
	inside chan struct{}
}

func (g *gate) Write(p []byte) (int, error) {
	if g.inside != nil {
		g.inside <- struct{}{}
		<-g.open
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writes++
	return g.buf.Write(p)
}

func TestLinesKeepTheirOrderAndNoneIsLost(t *testing.T) {
	t.Parallel()
	var out gate
	s := New(&out)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				fmt.Fprintf(s, "%d %d\n", w, i)
			}
		})
	}
	wg.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(out.buf.String(), "\n"), "\n")
	if len(lines) != 2000 {
		t.Fatalf("%d lines, want 2000", len(lines))
	}
	for _, l := range lines {
		var w string
		var i int
		if _, err := fmt.Sscanf(l, "%s %d", &w, &i); err != nil || next[w] != i {
			t.Fatalf("line %q: writer %s should be at %d (%v)", l, w, next[w], err)
		}
		next[w]++
	}
}

func TestABusyWriterIsGivenManyLinesAtOnce(t *testing.T) {
	t.Parallel()
	out := &gate{open: make(chan struct{}), inside: make(chan struct{})}
	s := New(out)
	fmt.Fprintln(s, "first")
	<-out.inside // the goroutine is writing "first"
	for range 100 {
		fmt.Fprintln(s, "more")
	}
	out.open <- struct{}{}
	<-out.inside
	out.open <- struct{}{}
	if err := s.Sync(); err != nil {
		t.Fatal(err)
	}
	if out.writes != 2 {
		t.Errorf("%d writes for 101 lines, want 2", out.writes)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	out := &gate{open: make(chan struct{}), inside: make(chan struct{})}
	s := New(out)
	big := bytes.Repeat([]byte("x"), MaxPending/2)
	_, _ = s.Write(big)
	<-out.inside
	_, _ = s.Write(big)
	_, _ = s.Write(big)
	waited := make(chan struct{})
	go func() {
		_, _ = s.Write(big) // over the bound: waits for the first to be written
		close(waited)
	}()
	select {
	case <-waited:
		t.Fatal("the fourth write did not wait")
	default:
	}
	for range 3 {
		select {
		case out.open <- struct{}{}:
		case <-waited:
		}
		select {
		case <-out.inside:
		case <-waited:
		}
	}
	<-waited
	go func() {
		for {
			select {
			case out.open <- struct{}{}:
			case <-out.inside:
			case <-s.done:
				return
			}
		}
	}()
	_ = s.Close()
	if out.buf.Len() != 4*len(big) {
		t.Errorf("%d bytes arrived, want %d", out.buf.Len(), 4*len(big))
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestAFailureIsReported(t *testing.T) {
	t.Parallel()
	s := New(failing{})
	fmt.Fprintln(s, "one")
	if err := s.Sync(); err == nil {
		t.Error("Sync hides the failure")
	}
	if err := s.Close(); err == nil {
		t.Error("Close hides the failure")
	}
}
