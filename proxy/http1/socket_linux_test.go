package http1

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// arrived is how many bytes the socket holds.
func arrived(t *testing.T, nc net.Conn) (n int) {
	t.Helper()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); err != nil {
		t.Fatal(err)
	}
	return n
}

// A body that nothing read and that has arrived meanwhile is dropped, and the
// connection goes on.
func TestArrivedBodyIsDropped(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w *Response, r *Request) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for want := int(r.ContentLength); arrived(t, w.c.nc)+w.c.w-w.c.r < want; {
			<-tick.C
		}
		_, _ = io.WriteString(w, r.Target)
	}, nil)
	nc := s.dial()
	br := bufio.NewReader(nc)
	for range 2 {
		const body = 20_000
		send(t, nc, "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: "+itoa(body)+"\r\n\r\n")
		send(t, nc, strings.Repeat("x", body))
		if resp, got := answer(t, br); got != "/b" || resp.Close {
			t.Errorf("%q, close %v", got, resp.Close)
		}
	}
}

// A connection with bytes in front is waited on as a socket once they are read.
func TestSocketBeneath(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	if c := newConn(&before{Conn: server}, Options{}); c.wait.find(c) {
		t.Error("a pipe was taken for a socket")
	}
	s := serve(t, hello, nil)
	front := &before{Conn: s.dial(), first: []byte("x")}
	c := newConn(front, Options{})
	if c.wait.find(c) {
		t.Error("bytes in front are passed over")
	}
	front.first = nil
	if !c.wait.find(c) {
		t.Error("the socket was not found")
	}
}
