package rawio

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is two ends of a TCP connection.
func pair(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return near, far
}

// layer is a connection above a socket: rawio must not look through it.
type layer struct{ net.Conn }

// ways are a socket of its own, and the fallback to the connection's methods.
func ways(t *testing.T, test func(t *testing.T, s *Socket, near, far *net.TCPConn)) {
	t.Run("raw", func(t *testing.T) {
		t.Parallel()
		near, far := pair(t)
		s := New(near)
		if s.CanTry() != supported {
			t.Fatalf("CanTry %v, supported %v", s.CanTry(), supported)
		}
		test(t, s, near, far)
	})
	t.Run("layered", func(t *testing.T) {
		t.Parallel()
		near, far := pair(t)
		s := New(layer{near})
		if s.CanTry() {
			t.Fatal("a layer was taken for a socket")
		}
		test(t, s, near, far)
	})
}

// A message larger than any socket buffer goes both ways at once.
func TestBothWays(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, s *Socket, _, far *net.TCPConn) {
		message := bytes.Repeat([]byte("0123456789abcdef"), 1<<19)
		var wait sync.WaitGroup
		wait.Go(func() { // the far side echoes
			_, _ = io.Copy(far, far)
		})
		wait.Go(func() {
			if n, err := s.Write(message); n != len(message) || err != nil {
				t.Errorf("wrote %d of %d: %v", n, len(message), err)
			}
		})
		got := make([]byte, len(message))
		if n, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, message) {
			t.Errorf("read %d of %d: %v", n, len(message), err)
		}
		s.nc.Close()
		wait.Wait()
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	wants := func(op string, is error) func(*testing.T, int, error) {
		return func(t *testing.T, n int, got error) {
			t.Helper()
			var e *net.OpError
			if n != 0 || !errors.Is(got, is) || !errors.As(got, &e) || e.Op != op || e.Addr == nil {
				t.Errorf("%d, %v; want an OpError of %s that is %v", n, got, op, is)
			}
		}
	}
	tests := []struct {
		name  string
		do    func(t *testing.T, near, far *net.TCPConn)
		read  bool
		check func(t *testing.T, n int, err error)
	}{
		{"end", func(_ *testing.T, _, far *net.TCPConn) { far.Close() }, true, func(t *testing.T, n int, err error) {
			if n != 0 || err != io.EOF { //nolint:errorlint // exactly io.EOF, as net.Conn says it
				t.Errorf("%d, %v; want io.EOF", n, err)
			}
		}},
		{"bytes before the end", func(t *testing.T, _, far *net.TCPConn) {
			if _, err := far.Write([]byte("abc")); err != nil {
				t.Fatal(err)
			}
			far.Close()
		}, true, func(t *testing.T, n int, err error) {
			if n == 0 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}},
		{"read after close", func(_ *testing.T, near, _ *net.TCPConn) { near.Close() }, true, wants("read", net.ErrClosed)},
		{"write after close", func(_ *testing.T, near, _ *net.TCPConn) { near.Close() }, false, wants("write", net.ErrClosed)},
		{
			"read after its deadline", func(_ *testing.T, near, _ *net.TCPConn) { _ = near.SetReadDeadline(time.Unix(1, 0)) }, true,
			wants("read", os.ErrDeadlineExceeded),
		},
		{
			"write after its deadline", func(_ *testing.T, near, _ *net.TCPConn) { _ = near.SetWriteDeadline(time.Unix(1, 0)) }, false,
			wants("write", os.ErrDeadlineExceeded),
		},
		{"write after our FIN", func(_ *testing.T, near, _ *net.TCPConn) { _ = near.CloseWrite() }, false, wants("write", syscall.EPIPE)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ways(t, func(t *testing.T, s *Socket, near, far *net.TCPConn) {
				tt.do(t, near, far)
				do := s.Write
				if tt.read {
					do = s.Read
				}
				n, err := do(make([]byte, 8))
				tt.check(t, n, err)
			})
		})
	}
}

// A write that its deadline cuts off says how much the kernel took.
func TestPartialWrite(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, s *Socket, near, far *net.TCPConn) {
		if err := errors.Join(near.SetWriteBuffer(16<<10), far.SetReadBuffer(16<<10)); err != nil {
			t.Fatal(err)
		}
		message := make([]byte, 64<<20)
		var n int
		var err error
		var writing sync.WaitGroup
		writing.Go(func() { n, err = s.Write(message) })
		if _, err := io.ReadFull(far, make([]byte, 1)); err != nil { // the kernel took some
			t.Fatal(err)
		}
		_ = near.SetWriteDeadline(time.Unix(1, 0))
		writing.Wait()
		if n == 0 || n == len(message) || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d of %d, %v", n, len(message), err)
		}
		near.Close()
		if rest, err := io.Copy(io.Discard, far); rest+1 != int64(n) || err != nil {
			t.Errorf("the far side got %d of %d, %v", rest+1, n, err)
		}
	})
}

// A reader that waits, or is about to, is woken by a deadline, by the end and by
// Close.
func TestWaiting(t *testing.T) {
	t.Parallel()
	for name, wake := range map[string]func(near, far *net.TCPConn){
		"deadline": func(near, _ *net.TCPConn) { _ = near.SetReadDeadline(time.Unix(1, 0)) },
		"end":      func(_, far *net.TCPConn) { far.Close() },
		"close":    func(near, _ *net.TCPConn) { near.Close() },
		"bytes":    func(_, far *net.TCPConn) { _, _ = far.Write([]byte("x")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ways(t, func(t *testing.T, s *Socket, near, far *net.TCPConn) {
				started, done := make(chan struct{}), make(chan error)
				go func() {
					close(started)
					n, err := s.Read(make([]byte, 8))
					if (n == 1) != (name == "bytes") {
						t.Errorf("read %d, %v", n, err)
					}
					done <- err
				}()
				<-started
				wake(near, far)
				if err := <-done; (err == nil) != (name == "bytes") {
					t.Error(err)
				}
			})
		})
	}
}

func TestTryRead(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	p := make([]byte, 8)
	if _, err := New(layer{near}).TryRead(p); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a layer: %v", err)
	}
	s := New(near)
	if !s.CanTry() {
		if supported {
			t.Error("a TCP connection cannot be looked at")
		}
		return
	}
	if n, err := s.TryRead(nil); n != 0 || err != nil {
		t.Errorf("no room: %d, %v", n, err)
	}
	if n, err := s.TryRead(p); n != 0 || !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("nothing there: %d, %v", n, err)
	}
	if _, err := far.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Read(p[:1]); n != 1 || err != nil { // waits for them
		t.Errorf("the first byte: %d, %v", n, err)
	}
	if n, err := s.TryRead(p); n != 2 || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	far.Close()
	if _, err := s.Read(p); err != io.EOF { //nolint:errorlint // exactly io.EOF, as net.Conn says it
		t.Errorf("the end: %v", err)
	}
	if n, err := s.TryRead(p); n != 0 || err != io.EOF { //nolint:errorlint // exactly io.EOF
		t.Errorf("after the end: %d, %v", n, err)
	}
	near.Close()
	if _, err := s.TryRead(p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// Several readers and writers: every byte arrives once.
func TestConcurrently(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, s *Socket, _, far *net.TCPConn) {
		const writers, each, size = 4, 50, 1000
		other := New(far)
		var wait, readers sync.WaitGroup
		for w := range writers {
			wait.Go(func() {
				piece := bytes.Repeat([]byte{byte('a' + w)}, size)
				for range each {
					if n, err := s.Write(piece); n != size || err != nil {
						t.Errorf("wrote %d: %v", n, err)
					}
				}
			})
		}
		var mu sync.Mutex
		counts := map[byte]int{}
		for range 3 {
			readers.Go(func() {
				p := make([]byte, 700)
				for {
					n, err := other.Read(p)
					mu.Lock()
					for _, c := range p[:n] {
						counts[c]++
					}
					mu.Unlock()
					if err != nil {
						return
					}
				}
			})
		}
		wait.Wait()
		s.nc.Close()
		readers.Wait()
		for w := range writers {
			if got := counts[byte('a'+w)]; got != each*size {
				t.Errorf("writer %d: %d bytes of %d arrived", w, got, each*size)
			}
		}
	})
}

// A reset is one, to the reader and to the writer.
func TestReset(t *testing.T) {
	t.Parallel()
	ways(t, func(t *testing.T, s *Socket, _, far *net.TCPConn) {
		_ = far.SetLinger(0)
		far.Close()
		if n, err := s.Read(make([]byte, 8)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read %d, %v", n, err)
		}
		if n, err := s.Write(make([]byte, 8)); n != 0 || !errors.Is(err, syscall.EPIPE) {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}

// One goroutine that reads without ever waiting does not keep another from
// running, even on one processor whose monitor sleeps.
func TestYields(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	s := New(near)
	if !s.CanTry() {
		return
	}
	message := make([]byte, 3*yieldAfter)
	if _, err := far.Write(message); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1)
	if _, err := s.Read(p); err != nil { // all of it has come
		t.Fatal(err)
	}
	s.streak = 0
	for i := 1; i < 2*yieldAfter; i++ {
		if _, err := s.Read(p); err != nil {
			t.Fatal(err)
		}
		if want := i % yieldAfter; s.streak != want {
			t.Fatalf("after %d reads the streak is %d, want %d", i, s.streak, want)
		}
	}
}

// A request makes several calls: none may allocate.
func TestAllocations(t *testing.T) {
	near, far := pair(t)
	s := New(near)
	out, in, one := make([]byte, 100), make([]byte, 100), make([]byte, 1)
	echo := New(far)
	allocations := testing.AllocsPerRun(100, func() {
		_, _ = s.Write(out)
		_, _ = io.ReadFull(echo, in)
		_, _ = s.TryRead(one)
	})
	if allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}

func BenchmarkWriteRead(b *testing.B) {
	near, far := pair(b)
	p := make([]byte, 300)
	for name, ends := range map[string][2]io.ReadWriter{"net": {near, far}, "raw": {New(near), New(far)}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ends[0].Write(p)
				_, _ = io.ReadFull(ends[1], p)
			}
		})
	}
}
