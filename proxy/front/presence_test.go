//go:build linux

package front

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/nonblock"
)

// until waits for something that the kernel does.
func until(is func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		<-tick.C
	}
}

// What is said of callers that are not there.
var (
	ended = call.PeerState{HalfClosed: true}
	reset = call.PeerState{Reset: true}
)

func TestStanding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		leave     func(*net.TCPConn) error
		want      call.PeerState // but for Late
		delivered bool           // of what is written afterwards
	}{
		{"stays", func(*net.TCPConn) error { return nil }, call.PeerState{}, true},
		{"sends", func(far *net.TCPConn) error { _, err := io.WriteString(far, "x"); return err }, call.PeerState{}, true},
		{"half-closes", (*net.TCPConn).CloseWrite, ended, true},
		{"sends and half-closes", func(far *net.TCPConn) error {
			_, err := io.WriteString(far, "x")
			return errors.Join(err, far.CloseWrite())
		}, ended, true},
		{"closes", (*net.TCPConn).Close, ended, false},
		{"sends and closes", func(far *net.TCPConn) error { _, err := io.WriteString(far, "x"); return errors.Join(err, far.Close()) }, ended, false},
		{"resets", func(far *net.TCPConn) error { return errors.Join(far.SetLinger(0), far.Close()) }, reset, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGauge()
			s := NewShared(Limits{}, g.add)
			near, far := sockets(t)
			c := accepted(near, s)
			if got := c.PeerState(); got != (call.PeerState{}) {
				t.Errorf("before: %v", got)
			}
			if err := tt.leave(far); err != nil {
				t.Fatal(err)
			}
			until(func() bool { s := c.PeerState(); return s.Reset == tt.want.Reset && s.HalfClosed == tt.want.HalfClosed })
			if taken, lost, known := acknowledged(nonblock.Socket(c.Conn)); taken == lost || lost != tt.want.Reset || !known {
				t.Errorf("before anything is written: taken %v, lost %v, known %v", taken, lost, known)
			}
			_, _ = io.WriteString(c, "the answer")
			if delivered, known := c.Delivered(time.Hour); delivered != tt.delivered || !known {
				t.Errorf("delivered %v, known %v", delivered, known)
			}
			far.Close()
			c.Close()
			empty(t, s, g)
		})
	}
}

// How late the end came after the last byte is what tells a habit from a caller
// that has given up. Unread bytes do not hide it.
func TestHowLateTheEndCame(t *testing.T) {
	t.Parallel()
	near, far := sockets(t)
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	defer c.Close()
	const pause = 100 * time.Millisecond
	sent := time.Now()
	if _, err := io.WriteString(far, "x"); err != nil {
		t.Fatal(err)
	}
	<-time.After(pause)
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	closed := time.Since(sent)
	until(func() bool { return c.PeerState().HalfClosed })
	const tick = 10 * time.Millisecond // of the kernel's clock
	if late := c.PeerState().Late; late < pause-2*tick || late > closed+2*tick {
		t.Errorf("%v late, want %v to %v", late, pause, closed)
	}
}

// A read that does not wait gives what has come, then a timeout, then the end.
func TestWithoutWaiting(t *testing.T) {
	t.Parallel()
	near, far := sockets(t)
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	defer c.Reset()
	read := func() (got string, err error) {
		c.WithoutWaiting(func() {
			b := make([]byte, 8)
			var n int
			n, err = c.Read(b)
			got = string(b[:n])
		})
		return got, err
	}
	if got, err := read(); got != "" || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing there: %q, %v", got, err)
	}
	if _, err := io.WriteString(far, "ab"); err != nil {
		t.Fatal(err)
	}
	until(c.unread)
	if got, err := read(); got != "ab" || err != nil {
		t.Errorf("two bytes there: %q, %v", got, err)
	}
	c.Unread([]byte("early"))
	if got, err := read(); got != "early" || err != nil {
		t.Errorf("unread bytes: %q, %v", got, err)
	}
	far.Close()
	until(func() bool { return c.PeerState().HalfClosed })
	if got, err := read(); got != "" || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %q, %v", got, err)
	}
	pipe, other := net.Pipe()
	defer other.Close()
	c = accepted(pipe, NewShared(Limits{}, newGauge().add))
	defer c.Close()
	if _, err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("without a socket: %v", err)
	}
}

// A caller whose socket is full, as it does not read, has not taken what was
// written for it.
func TestNotDeliveredWhileUnread(t *testing.T) {
	t.Parallel()
	near, far := sockets(t)
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	defer c.Reset()
	if err := errors.Join(far.SetReadBuffer(4<<10), near.SetWriteBuffer(64<<10)); err != nil {
		t.Fatal(err)
	}
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 16<<10)
	if ctl := raw.Write(func(fd uintptr) bool {
		for err == nil {
			_, err = syscall.Write(int(fd), chunk)
		}
		return true
	}); ctl != nil || !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(ctl, err)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if delivered, known := c.Delivered(time.Second); delivered || !known || time.Since(start) != time.Second {
			t.Errorf("delivered %v, known %v after %v", delivered, known, time.Since(start))
		}
	})
}

// Of a connection that failed, and of one without a socket, no system call is
// made.
func TestStandingWithoutAsking(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	defer c.Close()
	if got := c.PeerState(); got != (call.PeerState{}) {
		t.Errorf("without a socket: %v", got)
	}
	if delivered, known := c.Delivered(time.Hour); !delivered || known {
		t.Errorf("without a socket: delivered %v, known %v", delivered, known)
	}
	far.Close()
	if _, err := io.WriteString(c, "x"); err == nil {
		t.Error("written to a closed pipe")
	}
	if got := c.PeerState(); got != reset {
		t.Errorf("after a failed write: %v", got)
	}
	if delivered, known := c.Delivered(time.Hour); delivered || !known {
		t.Errorf("after a failed write: delivered %v, known %v", delivered, known)
	}
}

// One byte that is looked at is what other platforms, and kernels without
// TCP_INFO, go by. It is left where it is.
func TestPeekStanding(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		leave func(*net.TCPConn) error
		want  call.PeerState
	}{
		{"stays", func(*net.TCPConn) error { return nil }, call.PeerState{}},
		{"sends and closes", func(far *net.TCPConn) error { _, err := io.WriteString(far, "x"); return errors.Join(err, far.Close()) }, call.PeerState{}},
		{"closes", (*net.TCPConn).Close, call.PeerState{HalfClosed: true, Late: unknownLate}},
		{"resets", func(far *net.TCPConn) error { return errors.Join(far.SetLinger(0), far.Close()) }, reset},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			near, far := sockets(t)
			c := accepted(near, NewShared(Limits{}, newGauge().add))
			defer c.Reset()
			if err := tt.leave(far); err != nil {
				t.Fatal(err)
			}
			until(func() bool { return peekStanding(nonblock.Socket(c.Conn)) == tt.want })
		})
	}
	near, _ := sockets(t)
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	raw := nonblock.Socket(c.Conn)
	c.Close()
	if got := peekStanding(raw); got != reset {
		t.Errorf("closed here: %v", got)
	}
	if _, _, known := acknowledged(raw); known {
		t.Error("closed here: something is known")
	}
}
