//go:build linux

package front

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestPresence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		leave     func(*net.TCPConn) error
		want      Presence
		delivered bool
	}{
		{"stays", func(*net.TCPConn) error { return nil }, Present, true},
		{"half-closes", (*net.TCPConn).CloseWrite, HalfClosed, true},
		{"closes", (*net.TCPConn).Close, HalfClosed, false},
		{"resets", func(nc *net.TCPConn) error { return errors.Join(nc.SetLinger(0), nc.Close()) }, Gone, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			arrived, left, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
			h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
				defer close(done)
				c := connOf(r)
				if got := c.Gone(); got != Present {
					t.Errorf("before: %v", got)
				}
				close(arrived)
				<-left
				until(t, "leaving", func() bool { return c.Gone() == tt.want })
				hello(w, r)
				_ = http.NewResponseController(w).Flush()
				delivered, known := c.Delivered(5 * time.Second)
				if delivered != tt.delivered || !known {
					t.Errorf("delivered %v, known %v", delivered, known)
				}
			})
			nc := h.dial()
			send(t, nc, get)
			<-arrived
			if err := tt.leave(nc); err != nil {
				t.Fatal(err)
			}
			close(left)
			<-done
		})
	}
}

// A caller that stops reading has not got what was written for it.
func TestNotDeliveredWhileUnread(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	h := open(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c := connOf(r)
		_ = c.nc.SetWriteDeadline(time.Now().Add(time.Second))
		chunk := make([]byte, 1<<20)
		for {
			if _, err := c.nc.Write(chunk); err != nil {
				break
			}
		}
		if delivered, known := c.Delivered(20 * time.Millisecond); delivered || !known {
			t.Errorf("delivered %v, known %v", delivered, known)
		}
		c.lost.Store(true)
	})
	nc := h.dial()
	send(t, nc, get)
	<-done
	_, _ = io.CopyN(io.Discard, bufio.NewReader(nc), 1)
}

// Over TLS a caller that leaves says goodbye first: unread bytes, then the end.
func TestPresenceOverTLS(t *testing.T) {
	t.Parallel()
	arrived, left, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	h := terminating(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c := connOf(r)
		if got := c.Gone(); got != Present {
			t.Errorf("before: %v", got)
		}
		close(arrived)
		<-left
		until(t, "leaving", func() bool { return c.Gone() == HalfClosed })
		hello(w, r)
		_ = http.NewResponseController(w).Flush()
		if delivered, known := c.Delivered(5 * time.Second); delivered || !known {
			t.Errorf("delivered %v, known %v", delivered, known)
		}
	})
	tc := insecure(h.dial())
	send(t, tc, get)
	<-arrived
	if err := tc.Close(); err != nil {
		t.Fatal(err)
	}
	close(left)
	<-done
}
