package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bubble runs f with a server on a pipe, under a clock that runs only while
// everything waits: timeouts are exact and cost nothing. It returns how the
// server ended.
func bubble(t *testing.T, limits func() Limits, handler handlerFunc, f func(*testing.T, *Conn, net.Conn)) (end End) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		c := newConn(server, Options{Limits: limits})
		var serving sync.WaitGroup
		serving.Go(func() {
			end = c.Serve(handler)
			_ = server.Close()
		})
		f(t, c, client)
		_ = client.Close()
		serving.Wait()
	})
	return end
}

// hello answers with the path; a refused request with its detail.
func hello(w *Response, r *Request) {
	if r.Refusal != nil {
		w.WriteHeader(r.Refusal.Status)
		_, _ = io.WriteString(w, r.Refusal.Detail)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, "hello "+r.Target)
}

func send(t testing.TB, nc io.Writer, raw string) {
	t.Helper()
	if _, err := io.WriteString(nc, raw); err != nil {
		t.Fatal(err)
	}
}

// answer reads one response and its body.
func answer(t testing.TB, br *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatalf("reading an answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading an answer's body: %v", err)
	}
	return resp, string(body)
}

func took(t *testing.T, what string, start time.Time, d time.Duration) {
	t.Helper()
	if got := time.Since(start); got != d {
		t.Errorf("%s after %v, want %v", what, got, d)
	}
}

func TestHeadTimeout(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"G", "GET /api5/http5.aspx?a HTTP/1.0\r\nHost: h", "POST / HTTP/1.1\r\nHost: h\r\n"} {
		var waited time.Duration
		end := bubble(t, testLimits, func(w *Response, r *Request) { waited = r.Refusal.Waited; hello(w, r) }, func(t *testing.T, _ *Conn, nc net.Conn) {
			send(t, nc, raw)
			start := time.Now()
			resp, _ := answer(t, bufio.NewReader(nc))
			if resp.StatusCode != 408 || !resp.Close && resp.ProtoMinor > 0 || waited != 10*time.Second {
				t.Errorf("%q: got %d after %v", raw, resp.StatusCode, waited)
			}
			took(t, "408", start, 10*time.Second)
		})
		if end != Lingering {
			t.Errorf("%q: %v", raw, end)
		}
	}
}

// A head that drips in is given HeaderTimeout in all, not for each byte.
func TestDrippingHead(t *testing.T) {
	t.Parallel()
	bubble(t, testLimits, hello, func(t *testing.T, _ *Conn, nc net.Conn) {
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

// A caller that said nothing gets no answer.
func TestSilentCallers(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "\r\n", "\r"} {
		end := bubble(t, testLimits, hello, func(t *testing.T, _ *Conn, nc net.Conn) {
			if raw != "" {
				send(t, nc, raw)
			}
			start := time.Now()
			if got, err := io.ReadAll(nc); len(got) > 0 || err != nil {
				t.Errorf("%q: got %q, %v", raw, got, err)
			}
			took(t, "end", start, 10*time.Second)
		})
		if end != Closed && end != Idle {
			t.Errorf("%q: %v", raw, end)
		}
	}
}

// A caller that may not connect is told so, whatever it says.
func TestUnasked(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "\r\n", "\r", "GET"} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			c := newConn(server, Options{Limits: testLimits, Unasked: true})
			go func() {
				c.Serve(handlerFunc(func(w *Response, r *Request) { w.CloseAfter(); hello(w, r) }))
				_ = server.Close()
			}()
			if raw != "" {
				send(t, client, raw)
			}
			if resp, got := answer(t, bufio.NewReader(client)); resp.StatusCode != 408 || !resp.Close {
				t.Errorf("%q: %d %q", raw, resp.StatusCode, got)
			}
			_ = client.Close()
		})
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	bubble(t, testLimits, hello, func(t *testing.T, _ *Conn, nc net.Conn) {
		br := bufio.NewReader(nc)
		var start time.Time
		for i := range 5 {
			send(t, nc, get)
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

// A stray CRLF behind a POST neither counts as a request nor shortens the time
// that the connection may idle.
func TestStrayCRLFKeepsTheConnection(t *testing.T) {
	t.Parallel()
	bubble(t, testLimits, hello, func(t *testing.T, _ *Conn, nc net.Conn) {
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

// The body's timeout runs from its last byte. A limit that a reload changed
// holds from the next request on.
func TestBodyTimeoutIsForProgress(t *testing.T) {
	t.Parallel()
	var err error
	var seconds atomic.Int64
	seconds.Store(60)
	limits := func() Limits {
		lim := testLimits()
		lim.BodyTimeout = time.Duration(seconds.Load()) * time.Second
		return lim
	}
	bubble(t, limits, func(w *Response, r *Request) {
		_, err = io.ReadAll(r.Body)
		w.WriteHeader(408)
	}, func(t *testing.T, _ *Conn, nc net.Conn) {
		send(t, nc, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n")
		for range 4 {
			time.Sleep(50 * time.Second)
			send(t, nc, "x")
		}
		seconds.Store(5)
		start := time.Now()
		answer(t, bufio.NewReader(nc))
		took(t, "answer", start, 60*time.Second)
		var be *BodyError
		if !errors.As(err, &be) || !errors.Is(err, os.ErrDeadlineExceeded) || be.Gone() {
			t.Errorf("body: %v", err)
		}
	})
}

// A caller that does not read its answer is given up, one that reads slowly is
// not.
func TestWriteTimeout(t *testing.T) {
	t.Parallel()
	big := func(failed *error) handlerFunc {
		return func(w *Response, _ *Request) {
			w.Header().Set("Content-Length", itoa(1<<20))
			_, *failed = io.WriteString(w, strings.Repeat("x", 1<<20-2)+"yz")
			if !errors.Is(*failed, w.Err()) {
				t.Errorf("Err is %v", w.Err())
			}
		}
	}
	var failed error
	end := bubble(t, testLimits, big(&failed), func(t *testing.T, _ *Conn, nc net.Conn) {
		start := time.Now()
		send(t, nc, get)
		time.Sleep(300 * time.Second)
		synctest.Wait()
		if !errors.Is(failed, os.ErrDeadlineExceeded) {
			t.Errorf("after %v: write: %v", time.Since(start), failed)
		}
	})
	if end != Broken {
		t.Errorf("an answer that was not taken ends %v", end)
	}
	bubble(t, testLimits, big(&failed), func(t *testing.T, _ *Conn, nc net.Conn) {
		send(t, nc, get)
		var got bytes.Buffer
		for p := make([]byte, 32<<10); !bytes.HasSuffix(got.Bytes(), []byte("xyz")); {
			time.Sleep(50 * time.Second)
			n, err := nc.Read(p)
			got.Write(p[:n])
			if err != nil {
				t.Fatalf("after %d bytes: %v", got.Len(), err)
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
		bubble(t, testLimits, hello, func(t *testing.T, c *Conn, nc net.Conn) {
			br := bufio.NewReader(nc)
			send(t, nc, get)
			answer(t, br)
			synctest.Wait()
			start := time.Now()
			c.Drain(800 * time.Millisecond)
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
			took(t, "close", start, 800*time.Millisecond)
		})
	})
	t.Run("retired", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits, hello, func(t *testing.T, c *Conn, nc net.Conn) {
			br := bufio.NewReader(nc)
			send(t, nc, get)
			answer(t, br)
			c.Retire()
			time.Sleep(100 * time.Second)
			send(t, nc, get)
			if resp, got := answer(t, br); got != "hello /a" || !resp.Close {
				t.Errorf("got %q, close %v", got, resp.Close)
			}
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
		})
	})
	t.Run("retired, then drained", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits, hello, func(t *testing.T, c *Conn, nc net.Conn) {
			c.Retire()
			synctest.Wait()
			start := time.Now()
			c.Drain(800 * time.Millisecond)
			c.Retire()
			if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, want EOF", err)
			}
			took(t, "close", start, 800*time.Millisecond)
		})
	})
	t.Run("request within grace", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits, hello, func(t *testing.T, c *Conn, nc net.Conn) {
			synctest.Wait()
			c.Drain(800 * time.Millisecond)
			time.Sleep(500 * time.Millisecond)
			send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n")
			time.Sleep(10 * time.Second)
			send(t, nc, "ok")
			br := bufio.NewReader(nc)
			if resp, got := answer(t, br); got != "hello /a" || !resp.Close {
				t.Errorf("got %q, close %v", got, resp.Close)
			}
			start := time.Now()
			if _, err := br.ReadByte(); err != io.EOF {
				t.Errorf("got %v, want EOF", err)
			}
			took(t, "close", start, 0)
		})
	})
	t.Run("answer begun", func(t *testing.T) {
		t.Parallel()
		bubble(t, testLimits, func(w *Response, r *Request) {
			_, _ = io.WriteString(w, "a")
			w.Flush()
			w.c.Drain(800 * time.Millisecond)
			_, _ = io.WriteString(w, "b")
		}, func(t *testing.T, _ *Conn, nc net.Conn) {
			br := bufio.NewReader(nc)
			send(t, nc, get)
			if _, got := answer(t, br); got != "ab" {
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
		bubble(t, testLimits, hello, func(t *testing.T, c *Conn, nc net.Conn) {
			send(t, nc, "GET / HTTP/1.1\r\n")
			synctest.Wait()
			c.Drain(time.Millisecond)
			time.Sleep(5 * time.Second)
			send(t, nc, "Host: h\r\n\r\n")
			if resp, _ := answer(t, bufio.NewReader(nc)); resp.StatusCode != 200 {
				t.Errorf("got %d", resp.StatusCode)
			}
		})
	})
}

// A body that is not needed any more is let go of, whether its reader is
// blocked or comes later, and the answer still goes out.
func TestAbortBody(t *testing.T) {
	t.Parallel()
	for _, blocked := range []bool{true, false} {
		var c *Conn
		end := bubble(t, testLimits, func(w *Response, r *Request) {
			start := time.Now()
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
		}, func(t *testing.T, conn *Conn, nc net.Conn) {
			c = conn
			send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")
			if resp, got := answer(t, bufio.NewReader(nc)); got != "hello /a" || !resp.Close {
				t.Errorf("got %q, close %v", got, resp.Close)
			}
		})
		if end != Lingering {
			t.Errorf("%v", end)
		}
	}
	// Too late: the connection goes on.
	var c *Conn
	bubble(t, testLimits, func(w *Response, r *Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c.AbortBody()
		hello(w, r)
	}, func(t *testing.T, conn *Conn, nc net.Conn) {
		c = conn
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

// A reader that comes when the request is over finds an end, and takes nothing
// of the next one.
func TestLateReader(t *testing.T) {
	t.Parallel()
	var kept io.ReadCloser
	bubble(t, testLimits, func(w *Response, r *Request) {
		if kept == nil {
			kept = r.Body
			_, _ = io.Copy(io.Discard, r.Body)
		} else if n, err := kept.Read(make([]byte, 10)); n != 0 || err == nil {
			t.Errorf("read %d bytes, %v", n, err)
		}
		hello(w, r)
	}, func(t *testing.T, _ *Conn, nc net.Conn) {
		br := bufio.NewReader(nc)
		for range 2 {
			send(t, nc, "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
			if _, got := answer(t, br); got != "hello /a" {
				t.Errorf("got %q", got)
			}
		}
	})
}

func TestBodyErrors(t *testing.T) {
	t.Parallel()
	limits := func() Limits {
		lim := testLimits()
		lim.BodyBytes = 10
		return lim
	}
	const chunked = "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	tests := []struct {
		name, raw string
		leaves    bool
		reason    string
	}{
		{"chunked too large", chunked + "8\r\n12345678\r\n3\r\nabc\r\n0\r\n\r\n", false, "too_large"},
		{"chunk size", chunked + "x\r\n", false, "malformed"},
		{"caller leaves", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", true, "client_timeout"},
		{"caller leaves in a chunk", chunked + "5\r\nab", true, "client_timeout"},
		{"caller stalls", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab", false, "client_timeout"},
		{"caller stalls in a chunk", chunked + "5\r\nab", false, "client_timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var be *BodyError
			end := bubble(t, limits, func(w *Response, r *Request) {
				body, err := io.ReadAll(r.Body)
				if !errors.As(err, &be) || r.BodyBytes() != int64(len(body)) {
					t.Errorf("%d bytes of %d, %v", r.BodyBytes(), len(body), err)
				}
				w.WriteHeader(400)
			}, func(t *testing.T, _ *Conn, nc net.Conn) {
				send(t, nc, tt.raw)
				if tt.leaves {
					_ = nc.Close()
					return
				}
				if resp, _ := answer(t, bufio.NewReader(nc)); !resp.Close {
					t.Error("the connection goes on")
				}
			})
			if be == nil || be.Reason.String() != tt.reason || be.Gone() != tt.leaves {
				t.Errorf("%v", be)
			}
			if want := map[bool]End{true: Broken, false: Lingering}[tt.leaves]; end != want {
				t.Errorf("%v, want %v", end, want)
			}
		})
	}
}

// A head on HTTP/1.0 without the length of its body is the whole request once
// nothing has followed it for 50 ms.
func TestSilenceBehindAHead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		request string
		after   time.Duration // something follows; 0 = nothing
		refused bool
		took    time.Duration
	}{
		{"POST /a?b HTTP/1.0\r\nHost: h\r\n\r\n", 0, false, 50 * time.Millisecond},
		{"post /a?b HTTP/1.0\r\nHost: h\r\n\r\n", 0, false, 50 * time.Millisecond},
		{"POST /a?b HTTP/1.0\r\nHost: h\r\n\r\n", 49 * time.Millisecond, true, 49 * time.Millisecond},
		{"PATCH /a?b HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", 49 * time.Millisecond, true, 49 * time.Millisecond},
		{"PUT /a?b HTTP/1.0\r\nHost: h\r\n\r\n", 51 * time.Millisecond, false, 50 * time.Millisecond},
		{"POST /a?b HTTP/1.0\r\nHost: h\r\nContent-Type: a/b\r\n\r\n", 0, true, 0},
		{"POST /a? HTTP/1.0\r\nHost: h\r\n\r\n", 0, true, 0},
		{"POST /a HTTP/1.0\r\nHost: h\r\n\r\n", 0, true, 0},
		{"POST /a HTTP/1.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 0, false, 0},
		{"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\nConnection: close\r\n\r\n", 0, false, 0},
		{"DELETE /a HTTP/1.0\r\nHost: h\r\n\r\n", 0, false, 0},
	} {
		bubble(t, testLimits, hello, func(t *testing.T, _ *Conn, nc net.Conn) {
			start := time.Now()
			send(t, nc, tt.request)
			if tt.after > 0 {
				later := time.AfterFunc(tt.after, func() { _, _ = io.WriteString(nc, "x") })
				defer later.Stop()
			}
			resp, body := answer(t, bufio.NewReader(nc))
			if refused := body == detailNoLength; refused != tt.refused || refused != (resp.StatusCode == 400) || !resp.Close {
				t.Errorf("%q, then more after %v: %d %q", tt.request, tt.after, resp.StatusCode, body)
			}
			took(t, tt.request, start, tt.took)
		})
	}
}
