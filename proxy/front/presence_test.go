//go:build linux

package front

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// until waits for something that the kernel does.
func until(is func() bool) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		<-tick.C
	}
}

func TestPresence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		leave     func(*net.TCPConn) error
		want      Presence
		delivered bool // of what is written afterwards
	}{
		{"stays", func(*net.TCPConn) error { return nil }, Present, true},
		{"sends", func(far *net.TCPConn) error { _, err := io.WriteString(far, "x"); return err }, Present, true},
		{"half-closes", (*net.TCPConn).CloseWrite, HalfClosed, true},
		{"sends and half-closes", func(far *net.TCPConn) error {
			_, err := io.WriteString(far, "x")
			return errors.Join(err, far.CloseWrite())
		}, HalfClosed, true},
		{"closes", (*net.TCPConn).Close, HalfClosed, false},
		{"sends and closes", func(far *net.TCPConn) error { _, err := io.WriteString(far, "x"); return errors.Join(err, far.Close()) }, HalfClosed, false},
		{"resets", func(far *net.TCPConn) error { return errors.Join(far.SetLinger(0), far.Close()) }, Gone, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGauge()
			s := NewShared(Limits{}, g.add)
			near, far := sockets(t)
			c := accepted(near, s)
			if got := c.Gone(); got != Present {
				t.Errorf("before: %v", got)
			}
			if err := tt.leave(far); err != nil {
				t.Fatal(err)
			}
			until(func() bool { return c.Gone() == tt.want })
			if taken, lost, known := acknowledged(c.socket()); taken == lost || lost != (tt.want == Gone) || !known {
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
func TestPresenceWithoutAsking(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	defer c.Close()
	if got := c.Gone(); got != PresenceUnknown {
		t.Errorf("without a socket: %v", got)
	}
	if delivered, known := c.Delivered(time.Hour); !delivered || known {
		t.Errorf("without a socket: delivered %v, known %v", delivered, known)
	}
	far.Close()
	if _, err := io.WriteString(c, "x"); err == nil {
		t.Error("written to a closed pipe")
	}
	if got := c.Gone(); got != Gone {
		t.Errorf("after a failed write: %v", got)
	}
	if delivered, known := c.Delivered(time.Hour); delivered || !known {
		t.Errorf("after a failed write: delivered %v, known %v", delivered, known)
	}
}

func TestPresenceString(t *testing.T) {
	t.Parallel()
	for p, want := range map[Presence]string{PresenceUnknown: "unknown", Present: "present", HalfClosed: "half_closed", Gone: "gone"} {
		if got := p.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// One byte that is looked at is what other platforms, and kernels without
// TCP_INFO, go by. It is left where it is.
func TestPeekPresence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		leave func(*net.TCPConn) error
		want  Presence
	}{
		{"stays", func(*net.TCPConn) error { return nil }, Present},
		{"sends and closes", func(far *net.TCPConn) error { _, err := io.WriteString(far, "x"); return errors.Join(err, far.Close()) }, Present},
		{"closes", (*net.TCPConn).Close, HalfClosed},
		{"resets", func(far *net.TCPConn) error { return errors.Join(far.SetLinger(0), far.Close()) }, Gone},
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
			until(func() bool { return peekPresence(c.socket()) == tt.want })
		})
	}
	near, _ := sockets(t)
	c := accepted(near, NewShared(Limits{}, newGauge().add))
	raw := c.socket()
	c.Close()
	if got := peekPresence(raw); got != Gone {
		t.Errorf("closed here: %v", got)
	}
	if _, _, known := acknowledged(raw); known {
		t.Error("closed here: something is known")
	}
}
