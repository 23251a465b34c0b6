package logsink

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"
)

// reader is a reader of the log that can stall and fail.
type reader struct {
	mu      sync.Mutex
	text    bytes.Buffer
	writes  int
	stalled chan struct{} // a write waits until it is closed; nil = none does
	err     error
	takes   int // bytes that a write takes before it fails
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	wait := r.stalled
	r.mu.Unlock()
	if wait != nil {
		<-wait
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	if r.err != nil {
		n := min(r.takes, len(p))
		r.text.Write(p[:n])
		return n, r.err
	}
	return r.text.Write(p)
}

func (r *reader) set(stalled chan struct{}, err error, takes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stalled, r.err, r.takes = stalled, err, takes
}

func (r *reader) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.SplitAfter(strings.TrimSuffix(r.text.String(), "\n"), "\n")
}

func lostLine(n uint64) []byte { return fmt.Appendf(nil, "lost %d\n", n) }

func (s *Sink) info(format string, args ...any) {
	s.WriteLine(zapcore.InfoLevel, fmt.Appendf(nil, format+"\n", args...))
}

func (s *Sink) error(format string, args ...any) {
	s.WriteLine(zapcore.ErrorLevel, fmt.Appendf(nil, format+"\n", args...))
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, ""), strings.Join(want, "\n"); g != w {
		t.Errorf("the reader has\n%s\nwant\n%s", g, w)
	}
}

func TestLinesKeepTheirOrderAndNoneIsLost(t *testing.T) {
	t.Parallel()
	var out reader
	s := New(&out, lostLine, false)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 500 {
				s.info("%d %d", w, i)
			}
		})
	}
	wg.Wait()
	if _, err := s.Close(); err != nil {
		t.Fatal(err)
	}
	next := map[string]int{}
	lines := out.lines()
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

func TestABusySinkWritesManyLinesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		s := New(&out, lostLine, false)
		s.info("first")
		synctest.Wait() // it is written at once
		for range 100 {
			s.info("more")
		}
		time.Sleep(2 * writeInterval)
		synctest.Wait()
		if out.writes != 2 || len(out.lines()) != 101 {
			t.Errorf("%d writes for %d lines, want 2 for 101", out.writes, len(out.lines()))
		}
		if _, err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestJournal: each line has its priority, also those that were kept.
func TestJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		s := New(&out, lostLine, true)
		for _, level := range []zapcore.Level{zapcore.DebugLevel, zapcore.InfoLevel, zapcore.WarnLevel, zapcore.ErrorLevel, zapcore.PanicLevel} {
			s.WriteLine(level, []byte(level.String()+"\n"))
		}
		synctest.Wait()
		out.set(nil, errors.New("disk full"), 0)
		s.info("%s", strings.Repeat("x", MaxPending))
		s.error("kept")
		time.Sleep(writeInterval)
		synctest.Wait()
		out.set(nil, nil, 0)
		if _, err := s.Close(); err != nil {
			t.Fatal(err)
		}
		equal(t, out.lines(), "<7>debug", "<6>info", "<4>warn", "<3>error", "<3>panic", "<4>lost 1", "<3>kept")
	})
}

// TestMuchIsWrittenAtOnce: what a busy process gathers does not grow large.
func TestMuchIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		s := New(&out, lostLine, false)
		begin := time.Now()
		line := strings.Repeat("x", writeSize/8)
		for range 100 {
			s.info("%s", line)
			synctest.Wait()
		}
		if time.Since(begin) != 0 || len(out.lines()) < 96 || out.writes > len(out.lines()) { // each is longer than a piece
			t.Errorf("%d lines in %d writes after %v", len(out.lines()), out.writes, time.Since(begin))
		}
		before := out.writes
		for range 1000 {
			s.info("%s", strings.Repeat("y", 99))
		}
		time.Sleep(writeInterval)
		synctest.Wait()
		if n := out.writes - before; n > 2*1000*100/atomicWrite {
			t.Errorf("1000 short lines in %d writes", n)
		}
		if _, err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestALineAfterAPauseIsWrittenAtOnce.
func TestALineAfterAPauseIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		s := New(&out, lostLine, false)
		for i := range 5 {
			s.info("line")
			synctest.Wait()
			if out.writes != i+1 {
				t.Errorf("%d writes after %d lines", out.writes, i+1)
			}
			time.Sleep(writeInterval)
		}
		if _, err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAStalledReader costs lines of level info; those of level error come when
// it reads again, after one line that says how many are missing.
func TestAStalledReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		again := make(chan struct{})
		out.set(again, nil, 0)
		s := New(&out, lostLine, false)
		s.info("first")
		synctest.Wait()
		if s.Status().Behind {
			t.Error("a write that has just begun is no stall")
		}
		filler := strings.Repeat("x", MaxPending/4-100)
		for range 4 {
			s.info("%s", filler)
		}
		const dropped = 50
		for i := range dropped {
			s.info("dropped %d %s", i, filler)
			if i%10 == 0 {
				s.error("doubt %d %500d", i, 0)
			}
		}
		time.Sleep(stallTimeout)
		synctest.Wait()
		if st := s.Status(); !st.Behind || st.Lost != dropped {
			t.Errorf("while stalled: %+v", st)
		}
		out.set(nil, nil, 0)
		close(again)
		time.Sleep(time.Second)
		synctest.Wait()
		if st := s.Status(); st.Behind || st.Lost != dropped {
			t.Errorf("afterwards: %+v", st)
		}
		lines := out.lines()
		want := []string{"first"}
		for range 4 {
			want = append(want, filler)
		}
		want = append(want, fmt.Sprint("lost ", dropped))
		for i := 0; i < dropped; i += 10 {
			want = append(want, fmt.Sprintf("doubt %d %500d", i, 0))
		}
		equal(t, lines, want...)
		if _, err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestNothingWaitsForAStalledReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		again := make(chan struct{})
		out.set(again, nil, 0)
		s := New(&out, lostLine, false)
		begin := time.Now()
		line := strings.Repeat("x", 1<<20)
		for range 20 {
			s.info("%s", line)
			s.error("%s", line)
		}
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("40 lines took %v", waited)
		}
		if _, err := s.Close(); !errors.Is(err, errStalled) || time.Since(begin) != stallTimeout {
			t.Errorf("Close returned %v after %v", err, time.Since(begin))
		}
		lost := s.Status().Lost
		s.info("late")
		if got := s.Status().Lost; got != lost+1 {
			t.Errorf("%d lines are lost, want %d", got, lost+1)
		}
		close(again)
		synctest.Wait()
	})
}

// TestAFullDisk: what cannot be written is lost, those of level error are tried
// again, and a line that was written in part is completed.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		out.set(nil, errors.New("no space"), len("one\nt"))
		s := New(&out, lostLine, false)
		s.mu.Lock() // all in one batch
		for _, l := range []string{"one", "two", "three", "four"} {
			s.pending.add([]byte(l+"\n"), l == "three")
		}
		s.mu.Unlock()
		s.error("five")
		synctest.Wait()
		if st := s.Status(); st.Lost != 1 || !st.Behind {
			t.Errorf("%+v, want one lost: four", st)
		}
		out.set(nil, errors.New("no space"), 0)
		s.info("six")
		time.Sleep(3 * retry)
		synctest.Wait()
		if st := s.Status(); st.Lost != 2 || !st.Behind {
			t.Errorf("%+v, want two lost: four and six", st)
		}
		out.set(nil, nil, 0)
		time.Sleep(retry)
		synctest.Wait()
		if st := s.Status(); st.Lost != 2 || st.Behind {
			t.Errorf("%+v, want two lost and nothing more", st)
		}
		equal(t, out.lines(), "one", "two", "lost 2", "three", "five")
		if _, err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		out.set(nil, errors.New("no space"), 0)
		s := New(&out, lostLine, false)
		const size = 1024
		for i := range 10 * MaxKept / size {
			s.error("%*d", size-1, i)
		}
		time.Sleep(2 * retry)
		synctest.Wait()
		if s.kept.bytes > MaxKept || s.Status().Lost != 9*MaxKept/size {
			t.Errorf("%d bytes are kept and %d lines lost", s.kept.bytes, s.Status().Lost)
		}
		if _, err := s.Close(); err == nil {
			t.Error("Close hides the failure")
		}
	})
}

// pieces are what was written at a time.
type pieces struct {
	mu  sync.Mutex
	all []string
}

func (p *pieces) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, string(b))
	return len(b), nil
}

// TestPieces: whole lines are written, and no more at a time than a pipe takes in one
// piece: another process may write to it, and this one may end before its reader reads.
func TestPieces(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("l", 2*atomicWrite) + "\n"
	lines := append(slices.Repeat([]string{strings.Repeat("a", 99) + "\n"}, 200), long, "end\n")
	out := new(pieces)
	s := New(out, lostLine, false)
	s.mu.Lock() // all in one batch
	for _, line := range lines {
		s.pending.add([]byte(line), false)
	}
	s.mu.Unlock()
	if _, err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(out.all, ""); got != strings.Join(lines, "") {
		t.Errorf("%d bytes arrive", len(got))
	}
	for i, piece := range out.all {
		if len(piece) > atomicWrite && piece != long || !strings.HasSuffix(piece, "\n") {
			t.Errorf("piece %d of %d bytes", i, len(piece))
		}
	}
	if len(out.all) > 10 {
		t.Errorf("%d pieces", len(out.all))
	}
}

// TestCloseCountsWhatIsLost: lines of which the reader got nothing, wherever they
// wait, and those that were lost before and not mentioned.
func TestCloseCountsWhatIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		s := New(&out, lostLine, false)
		s.AddLost(7)
		synctest.Wait()
		again := make(chan struct{})
		out.set(again, nil, 0)
		s.info("in flight")
		time.Sleep(writeInterval)
		synctest.Wait()
		s.AddLost(5)
		s.error("waits")
		for range 2 {
			s.info("%s", strings.Repeat("x", MaxPending-100)) // the second one is lost
		}
		s.error("kept %100d", 0)
		if unsaid, err := s.Close(); !errors.Is(err, errStalled) || unsaid != 5+5 || s.Status().Lost != 7+5+5 {
			t.Errorf("%d lines, %+v, %v", unsaid, s.Status(), err)
		}
		out.set(nil, nil, 0)
		close(again)
		synctest.Wait()
		equal(t, out.lines(), "lost 7", "in flight")
		if unsaid, err := s.Close(); !errors.Is(err, errStalled) || unsaid != 5+5 {
			t.Errorf("again: %d lines, %v", unsaid, err)
		}
	})
}

// TestCloseOnAFullDisk counts lines of level error, too.
func TestCloseOnAFullDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out reader
		out.set(nil, errors.New("no space"), 0)
		s := New(&out, lostLine, false)
		s.info("one")
		s.error("two")
		if unsaid, err := s.Close(); err == nil || unsaid != 2 {
			t.Errorf("%d lines, %v", unsaid, err)
		}
	})
}
