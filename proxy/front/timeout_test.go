package front

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/call"
)

// bubble runs f with a server on a pipe, under a clock that runs only while
// everybody waits: timeouts are exact and cost nothing.
func bubble(t *testing.T, lim Limits, handler http.HandlerFunc, f func(*testing.T, *Shared, net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		shared := NewShared(lim)
		srv, q := newServer(handler), newQueue()
		go func() { _ = srv.Serve(q) }()
		client, server := net.Pipe()
		q.put(NewConn(server, &call.Conn{}, shared))
		f(t, shared, client)
		_ = client.Close()
		_ = srv.Close()
		synctest.Wait()
	})
}

// took checks that something happened between d and d and an eighth (the
// deadlines are lazy) after start.
func took(t *testing.T, what string, start time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(start); got < d || got > d+d/8 {
		t.Errorf("%s after %v, want %v", what, got, d)
	}
}

func TestHeadTimeout(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"G", "GET /api5/http5.aspx?a HTTP/1.0\r\nHost: h", "POST / HTTP/1.1\r\nHost: h\r\n"} {
		bubble(t, testLimits(), hello, func(t *testing.T, _ *Shared, nc net.Conn) {
			send(t, nc, raw)
			start := time.Now()
			resp, _ := answer(t, bufio.NewReader(nc))
			if resp.StatusCode != 408 || resp.Header.Get("Reason") != "client_timeout" || !resp.Close {
				t.Errorf("%q: got %d %s", raw, resp.StatusCode, resp.Header.Get("Reason"))
			}
			took(t, "408", start, 10*time.Second)
		})
	}
}

// A head that drips in is given HeaderTimeout in all, not for each byte.
func TestDrippingHead(t *testing.T) {
	t.Parallel()
	bubble(t, testLimits(), hello, func(t *testing.T, _ *Shared, nc net.Conn) {
		start := time.Now()
		var dripping sync.WaitGroup
		dripping.Go(func() {
			for _, s := range split("GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("y", 100), 1) {
				if _, err := io.WriteString(nc, s); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		resp, _ := answer(t, bufio.NewReader(nc))
		if resp.StatusCode != 408 {
			t.Errorf("got %d", resp.StatusCode)
		}
		took(t, "408", start, 10*time.Second)
		_ = nc.Close()
		dripping.Wait()
	})
}

// Nothing is written to a caller of which nothing came.
func TestSilentCallers(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "\r\n", "\r"} {
		bubble(t, testLimits(), hello, func(t *testing.T, _ *Shared, nc net.Conn) {
			if raw != "" {
				send(t, nc, raw)
			}
			if got, err := io.ReadAll(nc); len(got) > 0 || err != nil {
				t.Errorf("%q: got %q, %v", raw, got, err)
			}
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, testLimits(), hello, func(t *testing.T, _ *Shared, nc net.Conn) {
		br := bufio.NewReader(nc)
		var start time.Time
		for i := range 5 {
			send(t, nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			answer(t, br)
			start = time.Now()
			time.Sleep(time.Duration(i) * 20 * time.Second)
		}
		if got, err := io.ReadAll(br); len(got) > 0 || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		took(t, "close", start, 120*time.Second)
	})
}

// A stray CRLF behind a POST neither counts as a request nor shortens the
// time that the connection may idle.
func TestStrayCRLFKeepsTheConnection(t *testing.T) {
	t.Parallel()
	bubble(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		hello(w, r)
	}, func(t *testing.T, _ *Shared, nc net.Conn) {
		br := bufio.NewReader(nc)
		send(t, nc, "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
		answer(t, br)
		send(t, nc, "\r\n")
		time.Sleep(100 * time.Second)
		send(t, nc, "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
		if _, got := answer(t, br); got != "hello /2" {
			t.Errorf("got %q", got)
		}
	})
}

// The body's timeout runs from its last byte, and a limit changed by a reload
// holds for the next read.
func TestBodyTimeoutIsForProgress(t *testing.T) {
	t.Parallel()
	var err error
	bubble(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		_, err = io.ReadAll(r.Body)
		w.WriteHeader(408)
	}, func(t *testing.T, s *Shared, nc net.Conn) {
		send(t, nc, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
		for range 4 {
			time.Sleep(50 * time.Second)
			send(t, nc, "x")
		}
		lim := testLimits()
		lim.BodyTimeout = 5 * time.Second
		s.SetLimits(lim)
		send(t, nc, "x")
		start := time.Now()
		answer(t, bufio.NewReader(nc))
		took(t, "answer", start, 5*time.Second)
		var be *BodyError
		if !errors.As(err, &be) || !errors.Is(err, os.ErrDeadlineExceeded) || be.Gone() {
			t.Errorf("body: %v", err)
		}
	})
}

// A caller that does not read its answer is given up, one that reads slowly
// is not.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	big := func(failed *error) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			_, *failed = io.WriteString(w, strings.Repeat("x", 1<<20))
		}
	}
	var failed error
	bubble(t, testLimits(), big(&failed), func(t *testing.T, _ *Shared, nc net.Conn) {
		start := time.Now()
		send(t, nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if !errors.Is(failed, os.ErrDeadlineExceeded) {
			t.Errorf("after %v: write: %v", time.Since(start), failed)
		}
	})
	bubble(t, testLimits(), big(&failed), func(t *testing.T, _ *Shared, nc net.Conn) {
		send(t, nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		got := 0
		for p := make([]byte, 32<<10); got < 1<<20; {
			time.Sleep(50 * time.Second)
			n, err := nc.Read(p)
			got += n
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
		}
		synctest.Wait()
		if failed != nil {
			t.Errorf("write: %v", failed)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits(), hello, func(t *testing.T, s *Shared, nc net.Conn) {
			br := bufio.NewReader(nc)
			send(t, nc, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			answer(t, br)
			synctest.Wait()
			start := time.Now()
			s.Drain(800 * time.Millisecond)
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
			took(t, "close", start, 800*time.Millisecond)
		})
	})
	t.Run("request within grace", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(body)
		}, func(t *testing.T, s *Shared, nc net.Conn) {
			synctest.Wait()
			s.Drain(800 * time.Millisecond)
			time.Sleep(500 * time.Millisecond)
			send(t, nc, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n")
			time.Sleep(10 * time.Second)
			send(t, nc, "ok")
			br := bufio.NewReader(nc)
			if _, got := answer(t, br); got != "ok" {
				t.Errorf("got %q", got)
			}
			start := time.Now()
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
			took(t, "close", start, 800*time.Millisecond)
		})
	})
	t.Run("head begun", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits(), hello, func(t *testing.T, s *Shared, nc net.Conn) {
			send(t, nc, "GET / HTTP/1.1\r\n")
			synctest.Wait()
			s.Drain(time.Millisecond)
			time.Sleep(5 * time.Second)
			send(t, nc, "Host: h\r\n\r\n")
			if resp, _ := answer(t, bufio.NewReader(nc)); resp.StatusCode != 200 {
				t.Errorf("got %d", resp.StatusCode)
			}
		})
	})
}

// A body that nobody needs any more is let go of, whether its reader is
// blocked or comes later, and the answer still goes out.
func TestAbortBody(t *testing.T) {
	t.Parallel()
	for _, blocked := range []bool{true, false} {
		bubble(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
			c, start := connOf(r), time.Now()
			if blocked {
				go func() {
					time.Sleep(time.Second)
					c.AbortBody()
				}()
			} else {
				c.AbortBody()
			}
			if _, err := io.ReadAll(r.Body); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("body: %v", err)
			}
			if got := time.Since(start); got > time.Second {
				t.Errorf("after %v", got)
			}
			hello(w, r)
		}, func(t *testing.T, _ *Shared, nc net.Conn) {
			send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")
			if resp, got := answer(t, bufio.NewReader(nc)); got != "hello /a" || !resp.Close {
				t.Errorf("got %q, close %v", got, resp.Close)
			}
		})
	}
	// Too late: the connection goes on.
	bubble(t, testLimits(), func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		connOf(r).AbortBody()
		hello(w, r)
	}, func(t *testing.T, _ *Shared, nc net.Conn) {
		br := bufio.NewReader(nc)
		for range 2 {
			send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
			if _, got := answer(t, br); got != "hello /a" {
				t.Errorf("got %q", got)
			}
			time.Sleep(time.Minute)
		}
	})
}
