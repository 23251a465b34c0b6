package http1

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/budget"
)

// largeHead is a head that does not fit a small buffer, without its end.
var largeHead = get[:len(get)-2] + strings.Repeat("X-Fill: "+strings.Repeat("f", 100)+"\r\n", 60)

// TestHeadsShareMemory: a large head waits for the memory of others. When memory
// is tight those that do not end in a second give it up.
func TestHeadsShareMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(t.Context(), 4*largeBuffer) // for two heads
		var serving sync.WaitGroup
		open := func() (net.Conn, *bufio.Reader) {
			client, server := net.Pipe()
			c := newConn(server, Options{Limits: func() Limits { return Limits{HeaderBytes: largeBuffer, HeaderTimeout: 10 * time.Second} }, Budget: b})
			serving.Go(func() {
				c.Serve(handlerFunc(hello))
				_ = server.Close()
			})
			t.Cleanup(func() { _ = client.Close() })
			return client, bufio.NewReader(client)
		}
		began := time.Now()
		expect := func(br *bufio.Reader, status int, after time.Duration) {
			t.Helper()
			resp, body := answer(t, br)
			if took := time.Since(began); resp.StatusCode != status || took != after {
				t.Errorf("%d %q after %v, want %d after %v", resp.StatusCode, body, took, status, after)
			}
		}
		one, fromOne := open()
		send(t, one, largeHead)
		synctest.Wait()
		two, fromTwo := open()
		send(t, two, largeHead)
		synctest.Wait()
		small, fromSmall := open()
		send(t, small, get)
		expect(fromSmall, 200, 0)
		if b.Held() != 2*largeBuffer {
			t.Errorf("%d bytes are held", b.Held())
		}
		three, fromThree := open()
		go func() { _, _ = three.Write([]byte(largeHead + "\r\n")) }() // nobody reads it at first
		expect(fromTwo, 408, time.Second)
		expect(fromThree, 200, time.Second)
		expect(fromOne, 408, 10*time.Second)
		synctest.Wait()
		if b.Held() != 0 {
			t.Errorf("%d bytes are still held", b.Held())
		}
		for _, c := range []net.Conn{one, two, three, small} {
			_ = c.Close()
		}
		serving.Wait()
	})
}

// TestNoMemoryForAHead: one that gets no memory is told so.
func TestNoMemoryForAHead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := budget.New(t.Context(), 3*largeBuffer)
		other := b.Share()
		if !other.Gather(largeBuffer, 0) {
			t.Fatal("not free")
		}
		client, server := net.Pipe()
		c := newConn(server, Options{Limits: func() Limits { return Limits{HeaderBytes: largeBuffer, HeaderTimeout: 3 * time.Second} }, Budget: b})
		var serving sync.WaitGroup
		serving.Go(func() {
			c.Serve(handlerFunc(hello))
			_ = server.Close()
		})
		go func() { _, _ = client.Write([]byte(largeHead + "\r\n")) }()
		began := time.Now()
		resp, body := answer(t, bufio.NewReader(client))
		if resp.StatusCode != 503 || body != detailNoMemory || time.Since(began) != 3*time.Second {
			t.Errorf("%d %q after %v", resp.StatusCode, body, time.Since(began))
		}
		_ = client.Close()
		serving.Wait()
		other.Release(0)
		if b.Held() != 0 {
			t.Errorf("%d bytes are still held", b.Held())
		}
	})
}

// TestMemoryIsGivenBack: after each way in which a request or a connection ends.
func TestMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	b := budget.New(t.Context(), 64*largeBuffer)
	for name, c := range map[string]struct {
		raw     string
		handler handlerFunc
	}{
		"answered":        {largeHead + "\r\n", hello},
		"answered, twice": {largeHead + "\r\n" + largeHead + "\r\n", hello},
		"pipelined":       {largeHead + "\r\n" + strings.Repeat(get, 200), hello},
		"refused":         {largeHead + "bad\r\n\r\n", hello},
		"cut in its head": {largeHead, hello},
		"aborted":         {largeHead + "\r\n", func(w *Response, _ *Request) { w.Abort() }},
		"hijacked": {strings.Replace(largeHead, "GET /a", "CONNECT h:443", 1) + "\r\n", func(w *Response, _ *Request) {
			nc, _, err := w.Hijack()
			if err == nil {
				_ = nc.Close()
			}
		}},
		"a panic": {largeHead + "\r\n", func(*Response, *Request) { panic("test") }},
	} {
		client, server := net.Pipe()
		conn := newConn(server, Options{Budget: b, Limits: func() Limits { return Limits{HeaderBytes: largeBuffer} }})
		done := make(chan struct{})
		most := int64(0)
		go func() {
			defer close(done)
			defer server.Close()
			defer func() { _ = recover() }()
			conn.Serve(handlerFunc(func(w *Response, r *Request) {
				most = max(most, b.Held())
				c.handler(w, r)
			}))
		}()
		go func() {
			_, _ = client.Write([]byte(c.raw))
			_ = client.Close()
		}()
		go func() {
			br := bufio.NewReader(client)
			for {
				resp, err := http.ReadResponse(br, nil)
				if err != nil {
					return
				}
				_ = resp.Body.Close()
			}
		}()
		<-done
		if b.Held() != 0 || most == 0 {
			t.Errorf("%s: %d bytes are held, at most %d were", name, b.Held(), most)
		}
	}
}
