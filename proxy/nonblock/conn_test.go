//go:build unix

package nonblock

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair returns two ends of a TCP connection; the first is wrapped.
func pair(t *testing.T) (*Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close(); far.Close() })
	return Wrap(near).(*Conn), far.(*net.TCPConn)
}

// reset makes the peer see a reset.
func reset(c *net.TCPConn) { c.SetLinger(0); c.Close() }

var big = bytes.Repeat([]byte("0123456789abcde\n"), 1<<20) // 16 MiB, more than the buffers of two sockets

// Whatever happens, a Conn says what a net.TCPConn says.
func TestErrorsOfNet(t *testing.T) {
	t.Parallel()
	soon := 20 * time.Millisecond
	read := func(c net.Conn) (int, error) { return c.Read(make([]byte, 8)) }
	write := func(c net.Conn) (int, error) { return c.Write([]byte("x")) }
	tests := []struct {
		name   string
		happen func(near net.Conn, far *net.TCPConn)
		do     func(near net.Conn) (int, error)
		is     error
	}{
		{"bytes", func(_ net.Conn, far *net.TCPConn) { far.Write([]byte("abc")) }, read, nil},
		{"the end", func(_ net.Conn, far *net.TCPConn) { far.CloseWrite() }, read, io.EOF},
		{"a reset", func(_ net.Conn, far *net.TCPConn) { reset(far) }, read, syscall.ECONNRESET},
		{"read after close", func(near net.Conn, _ *net.TCPConn) { near.Close() }, read, net.ErrClosed},
		{"close while reading", func(near net.Conn, _ *net.TCPConn) { time.AfterFunc(soon, func() { near.Close() }) }, read, net.ErrClosed},
		{"read after the deadline", func(near net.Conn, far *net.TCPConn) {
			far.Write([]byte("abc"))
			near.SetReadDeadline(time.Unix(1, 0))
		}, read, os.ErrDeadlineExceeded},
		{"a deadline while reading", func(near net.Conn, _ *net.TCPConn) { near.SetReadDeadline(time.Now().Add(soon)) }, read, os.ErrDeadlineExceeded},
		{"no room, after the end", func(_ net.Conn, far *net.TCPConn) { far.Close() }, func(c net.Conn) (int, error) { return c.Read(nil) }, nil},

		{"write", func(net.Conn, *net.TCPConn) {}, write, nil},
		{"write nothing", func(net.Conn, *net.TCPConn) {}, func(c net.Conn) (int, error) { return c.Write(nil) }, nil},
		{"write after close", func(near net.Conn, _ *net.TCPConn) { near.Close() }, write, net.ErrClosed},
		{"write after our end", func(near net.Conn, _ *net.TCPConn) { near.(interface{ CloseWrite() error }).CloseWrite() }, write, syscall.EPIPE},
		{"write after a reset", func(near net.Conn, far *net.TCPConn) {
			reset(far)
			near.Read(make([]byte, 1))
		}, write, syscall.EPIPE},
		{"write after the deadline", func(near net.Conn, _ *net.TCPConn) { near.SetWriteDeadline(time.Unix(1, 0)) }, write, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			said := func(wrapped bool) (string, error) {
				c, far := pair(t)
				near := net.Conn(c)
				if !wrapped {
					near = c.NetConn()
				}
				tt.happen(near, far)
				n, err := tt.do(near)
				if op, ok := errors.AsType[*net.OpError](err); ok {
					if op.Source != near.LocalAddr() || op.Addr != near.RemoteAddr() {
						t.Errorf("addresses %v and %v", op.Source, op.Addr)
					}
					return fmt.Sprintf("%d, %T %s %s: %T %v", n, err, op.Op, op.Net, op.Err, op.Err), err
				}
				return fmt.Sprintf("%d, %T %v", n, err, err), err
			}
			want, _ := said(false)
			got, err := said(true)
			if got != want {
				t.Errorf("says   %s\nnet says %s", got, want)
			}
			if !errors.Is(err, tt.is) {
				t.Errorf("%v is not %v", err, tt.is)
			}
		})
	}
}

// A write that fails says how many bytes went: at most once depends on it.
func TestPartialWrite(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(near *Conn){
		"a deadline": func(near *Conn) { near.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) },
		"a close":    func(near *Conn) { time.AfterFunc(200*time.Millisecond, func() { near.Close() }) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := pair(t)
			end(near)
			n, err := near.Write(big)
			if n == 0 || n == len(big) || err == nil {
				t.Fatalf("%d of %d, %v", n, len(big), err)
			}
			near.Close()
			got, err := io.ReadAll(far)
			if err != nil || !bytes.Equal(got, big[:n]) {
				t.Errorf("%d bytes arrived, %d were counted, %v", len(got), n, err)
			}
		})
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	time.AfterFunc(200*time.Millisecond, func() { reset(far) })
	n, err := near.Write(big)
	if n == 0 || n == len(big) || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("%d of %d, %v", n, len(big), err)
	}
}

// Both directions at once, with a peer that sends everything back.
func TestEcho(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	go func() {
		_, _ = io.Copy(far, far)
		far.CloseWrite()
	}()
	go func() {
		if n, err := near.Write(big); n != len(big) || err != nil {
			t.Errorf("%d of %d, %v", n, len(big), err)
		}
		near.CloseWrite()
	}()
	got, err := io.ReadAll(near)
	if err != nil || !bytes.Equal(got, big) {
		t.Errorf("%d bytes of %d, %v", len(got), len(big), err)
	}
}

// A read that does not wait takes what is there, sees the end and the close, and
// cares for no deadline.
func TestTryRead(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	p := make([]byte, 8)
	if n, err := near.TryRead(nil); n != 0 || err != nil {
		t.Errorf("no room: %d, %v", n, err)
	}
	if n, err := near.TryRead(p); n != 0 || err != syscall.EAGAIN { //nolint:errorlint // the error itself
		t.Errorf("nothing there: %d, %v", n, err)
	}
	if _, err := far.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if n, err := near.Read(p[:1]); n != 1 || err != nil { // waits for them
		t.Errorf("the first byte: %d, %v", n, err)
	}
	near.SetReadDeadline(time.Unix(1, 0))
	if n, err := near.TryRead(p); n != 2 || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	near.SetReadDeadline(time.Time{})
	far.CloseWrite()
	if _, err := near.Read(p); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
	if n, err := near.TryRead(p); n != 0 || err != io.EOF { //nolint:errorlint // the error itself
		t.Errorf("after the end: %d, %v", n, err)
	}
	near.Close()
	if _, err := near.TryRead(p); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// One call moves a bounded number of bytes.
func TestOneCall(t *testing.T) {
	t.Parallel()
	near, far := pair(t)
	near.SetWriteBuffer(1 << 20)
	far.SetReadBuffer(1 << 20)
	in, err := far.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	out, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	try := func(raw syscall.RawConn, call func(uintptr, []byte) (int, error), p []byte) (n int, err error) {
		if closed := raw.Control(func(fd uintptr) { n, err = call(fd, p) }); closed != nil {
			t.Fatal(closed)
		}
		return n, err
	}
	p := make([]byte, 1<<20)
	if n, err := try(in, Read, p); n != 0 || err != syscall.EAGAIN { //nolint:errorlint // the error itself
		t.Errorf("nothing to read: %d, %v", n, err)
	}
	sent := 0
	for {
		n, err := try(out, Write, p)
		sent += n
		if n > maxCall || err != nil && (n != 0 || err != syscall.EAGAIN) { //nolint:errorlint // the error itself
			t.Fatalf("written: %d, %v", n, err)
		}
		if err != nil {
			break
		}
	}
	near.CloseWrite()
	for sent > 0 {
		var n int
		if err := in.Read(func(fd uintptr) bool {
			n, err = Read(fd, p)
			return !errors.Is(err, syscall.EAGAIN)
		}); err != nil {
			t.Fatal(err)
		}
		if n == 0 || n > maxCall || err != nil {
			t.Fatalf("read: %d, %v", n, err)
		}
		sent -= n
	}
	if n, err := try(in, Read, p); n > 0 || err != nil && !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("more than was sent: %d, %v", n, err)
	}
}

func TestWrapOthers(t *testing.T) {
	t.Parallel()
	near, _ := pair(t)
	layer := struct{ net.Conn }{near}
	if Wrap(layer) != net.Conn(layer) || Wrap(nil) != nil {
		t.Error("a layer was taken for a socket")
	}
}
