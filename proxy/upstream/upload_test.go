package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/problem"
)

// echoLength answers with what it read of the body.
func echoLength(c *serverConn) {
	for {
		req, ok := c.request()
		if !ok {
			return
		}
		n, err := io.Copy(io.Discard, req.Body)
		if err != nil {
			return
		}
		if n == int64(10<<20) {
			c.say(okAnswer)
		} else {
			c.say("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
		}
	}
}

// pattern yields n bytes, in reads of odd sizes.
type pattern struct{ left, step int }

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	p.step = p.step%7000 + 1009
	n := min(len(b), p.left, p.step)
	for i := range b[:n] {
		b[i] = 'a' + byte(i%26)
	}
	p.left -= n
	return n, nil
}

func TestLargeBody(t *testing.T) {
	t.Parallel()
	const size = 10 << 20
	networks(t, func(t *testing.T, newServer maker) {
		for _, length := range []int64{size, -1} {
			s := newServer(t, echoLength)
			tr := start(t, s)
			r := route(t, tr, testHost)
			for i := range 2 {
				req, ex := newRequest("POST", "/send", "")
				req.Body, req.ContentLength = io.NopCloser(&pattern{left: size}), length
				resp, err := tr.Do(t.Context(), req, r, ex)
				check(t, err)
				_ = resp.Body.Close()
				if resp.StatusCode != 200 || ex.Delivery != problem.Answered || s.net != nil && ex.Reused != (i > 0) {
					t.Errorf("length %d, request %d: status %d, %+v", length, i, resp.StatusCode, ex)
				}
			}
		}
	})
}

// blockedBody gives n bytes and then waits until it is aborted.
type blockedBody struct {
	n     int
	abort chan struct{}
}

var errAborted = errors.New("aborted")

func (b *blockedBody) Read(p []byte) (int, error) {
	if b.n > 0 {
		n := min(len(p), b.n)
		b.n -= n
		return n, nil
	}
	<-b.abort
	return 0, errAborted
}

func (b *blockedBody) Close() error { return nil }

// The answer comes before the body was read, by a server that reads no more.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		after func(*serverConn)
	}{
		{"leaves the connection open", func(c *serverConn) { <-c.s.until }},
		{"closes", func(*serverConn) {}},
	} {
		for _, waiting := range []bool{false, true} {
			name := tt.name
			if waiting {
				name += ", caller still sending"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newServer(t, func(c *serverConn) {
					if _, ok := c.request(); ok {
						c.say("HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\nlarge")
						tt.after(c)
					}
				})
				s.until = make(chan struct{})
				t.Cleanup(func() { close(s.until) })
				obs := &recorder{}
				tr := start(t, s, func(o *Options) { o.Observer = obs })
				r := route(t, tr, testHost)
				req, ex := newRequest("POST", "/send", "")
				if waiting {
					body := &blockedBody{n: 2 * smallBody, abort: make(chan struct{})}
					req.Body, req.ContentLength = body, 10<<20
					ex.AbortBody = func() { close(body.abort) }
				} else {
					req.Body, req.ContentLength = io.NopCloser(&pattern{left: 10 << 20}), 10<<20
				}
				resp, err := tr.Do(t.Context(), req, r, ex)
				check(t, err)
				b, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != 413 || string(b) != "large" || ex.Delivery != problem.Answered {
					t.Errorf("status %d, body %q, %+v, error %v", resp.StatusCode, b, ex, err)
				}
				obs.wantPool(t, 0, 0) // the connection is not used again
			})
		}
	}
}

// An early answer that is no HTTP is the reason, not the end of the upload that
// follows from it.
func TestEarlyAnswerOfAnotherProtocol(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"220 mail.example ESMTP\r\n", "220 mail.example ESMTP\r\n\r\n", "\x15\x03\x01"} {
		for _, waiting := range []bool{false, true} {
			t.Run(fmt.Sprintf("%q, caller still sending %v", answer, waiting), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, func(c *serverConn) {
					if _, ok := c.request(); ok {
						c.say(answer)
						<-c.s.until
					}
				})
				s.until = make(chan struct{})
				t.Cleanup(func() { close(s.until) })
				tr := start(t, s)
				req, ex := newRequest("POST", "/send", "")
				body := &blockedBody{n: 2 * smallBody, abort: make(chan struct{})}
				ex.AbortBody = func() { close(body.abort) }
				if req.Body, req.ContentLength = body, 10<<20; !waiting {
					body.n = 10 << 20
				}
				_, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
				var e *Error
				if !errors.As(err, &e) || e.Reason != problem.Protocol || e.Delivery != problem.Unknown || ex.Delivery != problem.Unknown {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestBodyFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("the caller went away")
	fail := func(n int) io.ReadCloser {
		return io.NopCloser(io.MultiReader(&pattern{left: n}, &failing{broken}))
	}
	for _, tt := range []struct {
		name     string
		body     io.ReadCloser
		length   int64
		cause    error
		delivery problem.Delivery
	}{
		{"at once", fail(0), 10, broken, problem.NotSent},
		{"at once, chunked", fail(0), -1, broken, problem.NotSent},
		{"small", fail(5), 10, broken, problem.NotSent},
		{"small, ends early", io.NopCloser(strings.NewReader("12345")), 10, io.ErrUnexpectedEOF, problem.NotSent},
		{"small, chunked, cut", io.NopCloser(io.MultiReader(strings.NewReader("12345"), &failing{io.ErrUnexpectedEOF})), -1, io.ErrUnexpectedEOF, problem.NotSent},
		{"large", fail(3 * smallBody), 10 << 20, broken, problem.Unknown},
		{"large, chunked", fail(3 * smallBody), -1, broken, problem.Unknown},
		{"large, ends early", io.NopCloser(&pattern{left: 3 * smallBody}), 10 << 20, io.ErrUnexpectedEOF, problem.Unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			whole := make(chan bool, 1)
			s := newServer(t, func(c *serverConn) {
				if req, ok := c.request(); ok {
					_, err := io.Copy(io.Discard, req.Body)
					whole <- err == nil
				}
			})
			tr := start(t, s)
			req, ex := newRequest("POST", "/send", "")
			req.Body, req.ContentLength = tt.body, tt.length
			_, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
			var be *BodyError
			if !errors.As(err, &be) || be.Delivery != tt.delivery || ex.Delivery != tt.delivery || !errors.Is(err, tt.cause) {
				t.Fatalf("got %v, want %v %v", err, tt.cause, tt.delivery)
			}
			if tt.delivery == problem.Unknown && <-whole {
				t.Error("the cut request looked whole to the server")
			}
			if accepted, _, _ := s.counts(); tt.delivery == problem.NotSent && accepted != 0 {
				t.Error("a connection for nothing")
			}
		})
	}
}

// TestResetDuringUpload: an upstream that ends the connection while the caller
// is still sending is the one that failed, not the caller.
func TestResetDuringUpload(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		end  func(*serverConn)
	}{
		{"reset", (*serverConn).reset},
		{"closed", func(*serverConn) {}},
		{"cut", func(c *serverConn) { _ = c.raw.Close() }},
	} {
		for _, length := range []int64{10 << 20, -1} {
			t.Run(fmt.Sprint(tt.name, " ", length), func(t *testing.T) {
				t.Parallel()
				s := newServer(t, func(c *serverConn) {
					if req, ok := c.request(); ok {
						_, _ = io.CopyN(io.Discard, req.Body, smallBody)
						tt.end(c)
					}
				})
				tr := start(t, s)
				req, ex := newRequest("POST", "/send", "")
				body := &blockedBody{n: 2 * smallBody, abort: make(chan struct{})}
				req.Body, req.ContentLength = body, length
				ex.AbortBody = func() { close(body.abort) }
				_, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
				var e *Error
				if !errors.As(err, &e) || e.Reason != problem.Reset || e.Delivery != problem.Unknown || ex.Delivery != problem.Unknown {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// A slow upload is no slow answer: the clock of the answer starts with the
// request's last byte.
func TestSlowUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, echoLength)
		tr := start(t, s, func(o *Options) { o.ResponseTimeout = 2 * time.Second })
		pr, pw := io.Pipe()
		go func() {
			block := make([]byte, 10<<20/8)
			for range 8 {
				time.Sleep(time.Second)
				_, _ = pw.Write(block)
			}
			_ = pw.Close()
		}()
		req := &http.Request{Method: "POST", Header: http.Header{}, Body: pr, ContentLength: -1}
		resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), newExchange("/"))
		check(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Error(resp.Status)
		}
	})
}

// TestStalledUpload: an upstream that reads no further is waited for as long as
// any other that makes no progress.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, func(c *serverConn) { c.request(); <-c.s.until })
		s.until = make(chan struct{})
		defer close(s.until)
		tr := start(t, s, func(o *Options) { o.BodyTimeout = 10 * time.Second })
		req, ex := newRequest("POST", "/send", "")
		req.Body, req.ContentLength = io.NopCloser(&pattern{left: 10 << 20}), 10<<20
		begun := time.Now()
		_, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
		var e *Error
		if !errors.As(err, &e) || e.Reason != problem.Timeout || e.Delivery != problem.Unknown || time.Since(begun) > 11*time.Second {
			t.Error(err, time.Since(begun))
		}
	})
}

// slowToAbort is a body whose Read returns a second after it was aborted.
type slowToAbort struct {
	blockedBody
	over bool
}

func (b *slowToAbort) Read(p []byte) (int, error) {
	n, err := b.blockedBody.Read(p)
	if err != nil {
		time.Sleep(time.Second)
		b.over = true
	}
	return n, err
}

// When Close returns, nothing reads the body of a request any more.
func TestCloseWaitsForUpload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, func(c *serverConn) { c.request(); <-c.s.until })
		s.until = make(chan struct{})
		defer close(s.until)
		tr := start(t, s)
		body := &slowToAbort{blockedBody: blockedBody{n: 2 * smallBody, abort: make(chan struct{})}}
		req, ex := newRequest("POST", "/send", "")
		req.Body, req.ContentLength = body, 10<<20
		ex.AbortBody = func() { close(body.abort) }
		r := route(t, tr, testHost)
		done := make(chan error)
		go func() {
			_, err := tr.Do(context.Background(), req, r, ex)
			done <- err
		}()
		synctest.Wait() // for the upload to block
		tr.Close()
		if !body.over {
			t.Error("the body is still being read")
		}
		if err := <-done; err == nil {
			t.Error("an answer")
		}
	})
}

// closing closes the transport when it is asked.
type closing struct{ t *Transport }

func (c closing) Gone() bool { c.t.Close(); return false }

// An upload does not begin once the transport is closed.
func TestUploadAfterClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := memServer(t, echoLength)
		tr := start(t, s)
		req, ex := newRequest("POST", "/send", "")
		req.Body, req.ContentLength = io.NopCloser(&pattern{left: 10 << 20}), 10<<20
		ex.Caller = closing{tr}
		_, err := tr.Do(context.Background(), req, route(t, tr, testHost), ex)
		var e *Error
		if !errors.As(err, &e) || e.Reason != problem.Draining || e.Delivery != problem.NotSent {
			t.Errorf("got %v", err)
		}
	})
}
