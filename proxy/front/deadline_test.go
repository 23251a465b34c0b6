package front

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/call"
)

// countingConn counts how often its deadlines are moved.
type countingConn struct {
	net.Conn
	moved atomic.Int64
}

func (c *countingConn) SetReadDeadline(t time.Time) error {
	c.moved.Add(1)
	return c.Conn.SetReadDeadline(t)
}

func (c *countingConn) SetWriteDeadline(t time.Time) error {
	c.moved.Add(1)
	return c.Conn.SetWriteDeadline(t)
}

// A connection in use moves its deadlines far less than once a request.
func TestDeadlinesAreLazy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := NewShared(testLimits())
		q := newQueue()
		srv := newServer(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			hello(w, r)
		})
		go func() { _ = srv.Serve(q) }()
		client, server := net.Pipe()
		counting := &countingConn{Conn: server}
		q.put(NewConn(counting, &call.Conn{}, shared))
		br := bufio.NewReader(client)
		const requests = 300
		for range requests {
			send(t, client, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n")
			send(t, client, "x")
			if _, got := answer(t, br); got != "hello /a" {
				t.Fatalf("got %q", got)
			}
			time.Sleep(100 * time.Millisecond)
		}
		// In 30 s: the first ones, and the write's every 7.5 s.
		if got := counting.moved.Load(); got > 10 {
			t.Errorf("deadlines moved %d times in %d requests", got, requests)
		}
		_ = client.Close()
		_ = srv.Close()
		synctest.Wait()
	})
}
