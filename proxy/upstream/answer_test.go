package upstream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/problem"
)

// scripted serves the answer to every request, then closes if asked to.
func scripted(answer string, end func(*serverConn)) func(*serverConn) {
	return func(c *serverConn) {
		for {
			if _, ok := c.request(); !ok {
				return
			}
			c.say(answer)
			if end != nil {
				end(c)
				return
			}
		}
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	for _, tt := range []struct {
		name, method, answer string
		end                  func(*serverConn)
		status               int
		body                 string
		length               int64 // as declared to the caller
		reused               bool
	}{
		{"length", "GET", okAnswer, nil, 200, "ok", 2, true},
		{"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", nil, 200, "", 0, true},
		{"chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", nil, 200, "abcde", 5, true},
		{"chunked with trailer", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n", nil, 200, "abc", 3, true},
		{"until close_notify", "GET", "HTTP/1.0 200 OK\r\n\r\nabc", func(*serverConn) {}, 200, "abc", 3, false},
		{"HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", nil, 200, "", 1000, true},
		{"HEAD of a chunked answer", "HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", nil, 200, "", -1, true},
		{"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", nil, 204, "", 0, true},
		{"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n", nil, 304, "", 0, true},
		{"error status", "GET", "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", nil, 503, "no", 2, true},
		{"interim answers", "GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + okAnswer, nil, 200, "ok", 2, true},
		{"Connection: close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", func(*serverConn) {}, 200, "ok", 2, false},
		{"HTTP/1.0 keep-alive", "GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", nil, 200, "ok", 2, true},
		{"bytes after the answer", "GET", okAnswer + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", nil, 200, "ok", 2, false},
		{"body after HEAD", "HEAD", okAnswer, nil, 200, "", 2, false},
		{"held to the last byte", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + big, nil, 200, big, 1 << 20, true},
		{"streamed", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n" + big + "x", nil, 200, big + "x", 1<<20 + 1, true},
		{"streamed, chunked", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n" + big + "\r\n4\r\nmore\r\n0\r\n\r\n", nil, 200, big + "more", -1, true},
		{"streamed until close_notify", "GET", "HTTP/1.1 200 OK\r\n\r\n" + big + "more", func(*serverConn) {}, 200, big + "more", -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, scripted(tt.answer, tt.end))
			tr := start(t, s)
			r := route(t, tr, testHost)
			for i := range 2 {
				req, ex := newRequest(tt.method, "/", "")
				resp, err := tr.Do(t.Context(), req, r, ex)
				check(t, err)
				b, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != tt.status || string(b) != tt.body || resp.ContentLength != tt.length {
					t.Fatalf("status %d, %d bytes, length %d, error %v", resp.StatusCode, len(b), resp.ContentLength, err)
				}
				if ex.Delivery != problem.Answered || ex.Reused != (tt.reused && i > 0) {
					t.Errorf("%+v", ex)
				}
			}
		})
	}
}

// What is larger than the buffer reaches the caller before it is complete; its
// truncation is an error of Body.Read.
func TestStreamTruncated(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, head string
		end        func(*serverConn)
		reason     problem.Reason
	}{
		{"length", "Content-Length: 100000\r\n\r\n", func(*serverConn) {}, problem.Reset},
		{"length, reset", "Content-Length: 100000\r\n\r\n", func(c *serverConn) { c.reset() }, problem.Reset},
		{"length, stall", "Content-Length: 100000\r\n\r\n", func(c *serverConn) { c.hang() }, problem.Timeout},
		{"chunked", "Transfer-Encoding: chunked\r\n\r\n100000\r\n", func(*serverConn) {}, problem.Reset},
		{"chunked, garbage", "Transfer-Encoding: chunked\r\n\r\n5000\r\n", func(c *serverConn) { c.say("zz"); c.hang() }, problem.Protocol},
		{"until close", "\r\n", func(c *serverConn) { _ = c.raw.Close() }, problem.Reset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			networks(t, func(t *testing.T, newServer maker) {
				s := newServer(t, func(c *serverConn) {
					if _, ok := c.request(); ok {
						c.say("HTTP/1.1 200 OK\r\n" + tt.head + strings.Repeat("x", 0x5000))
						tt.end(c)
					}
				})
				obs := &recorder{}
				tr := start(t, s, func(o *Options) {
					o.ResponseBuffer, o.Observer = 1024, obs
					if tt.reason == problem.Timeout {
						o.BodyTimeout = time.Second
					}
				})
				req, ex := newRequest("GET", "/", "")
				resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
				check(t, err)
				if ex.Delivery != problem.Unknown {
					t.Error("answered before the end")
				}
				n, err := io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				var e *Error
				if !errors.As(err, &e) || e.Reason != tt.reason || e.Delivery != problem.Unknown || ex.Delivery != problem.Unknown {
					t.Errorf("after %d bytes: %v", n, err)
				}
				obs.wantPool(t, 0, 0) // the connection is not kept
			})
		})
	}
}

func TestStreamDrained(t *testing.T) {
	t.Parallel()
	s := newServer(t, scripted("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 5000), (*serverConn).hang))
	tr := start(t, s, func(o *Options) { o.ResponseBuffer = 1024 })
	ctx, cancel := context.WithCancel(context.Background())
	req, ex := newRequest("GET", "/", "")
	resp, err := tr.Do(ctx, req, route(t, tr, testHost), ex)
	check(t, err)
	_, err = io.ReadFull(resp.Body, make([]byte, 100))
	check(t, err)
	cancel()
	_, err = io.Copy(io.Discard, resp.Body)
	var e *Error
	if !errors.As(err, &e) || e.Reason != problem.Timeout || e.Delivery != problem.Unknown {
		t.Error(err)
	}
	_ = resp.Body.Close()
}

// A streamed body that the caller does not read to its end costs the
// connection, and nothing else.
func TestStreamAbandoned(t *testing.T) {
	t.Parallel()
	s := newServer(t, scripted("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"+strings.Repeat("x", 20000), nil))
	tr := start(t, s, func(o *Options) { o.ResponseBuffer = 1024 })
	r := route(t, tr, testHost)
	for range 3 {
		req, ex := newRequest("GET", "/", "")
		resp, err := tr.Do(t.Context(), req, r, ex)
		check(t, err)
		_ = resp.Body.Close()
		_ = resp.Body.Close()
		if _, err := resp.Body.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Error("read after Close")
		}
		if ex.Reused {
			t.Error("reused")
		}
	}
}

// Foreign answers of unknown length are not waited for: they may be endless.
func TestForeignStream(t *testing.T) {
	t.Parallel()
	s := newServer(t, scripted("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n", (*serverConn).hang), noTLS)
	tr := start(t, s)
	req, ex := newRequest("GET", "/events", "")
	resp, err := tr.Do(t.Context(), req, foreign(t, tr, s.addr, false), ex)
	check(t, err)
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil || string(b) != "event" || ex.TLSVersion != 0 {
		t.Error(string(b), err)
	}
	_ = resp.Body.Close()
}

// A body that was closed cannot be read, since its memory serves others.
func TestHeldBodyClosed(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	tr := start(t, s)
	req, ex := newRequest("GET", "/", "")
	resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
	check(t, err)
	_ = resp.Body.Close()
	_ = resp.Body.Close()
	if n, err := resp.Body.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	if n, err := resp.Body.(io.WriterTo).WriteTo(io.Discard); n != 0 || err != nil {
		t.Error(n, err)
	}
}

// FuzzAnswer holds that reading whatever a server sends ends, does not panic,
// and yields either an answer or an *Error of a known kind that tells nothing
// of what was sent.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(okAnswer), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.0 200 OK\r\n\r\nabc"), true)
	f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nKeep-Alive: timeout=5\r\n\r\n"), false)
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nabc"), false)
	f.Add([]byte("HTTP/1.1 200 secretsecretsecret\r\nsecretsecretsecret\r\n\r\n"), true)
	f.Fuzz(func(t *testing.T, answer []byte, head bool) {
		tr, err := newTransport(defaulted(Options{ResponseBuffer: 4096, net: func(context.Context, netip.AddrPort, func(netip.AddrPort) error) (net.Conn, error) {
			return &canned{in: bytes.NewReader(answer)}, nil
		}}), time.Now)
		check(t, err)
		defer tr.Close()
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		req, ex := newRequest(method, "/", "")
		resp, err := tr.Do(context.Background(), req, foreign(t, tr, "192.0.2.1", false), ex)
		if err == nil {
			_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
			_ = resp.Body.Close()
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Delivery != problem.Unknown || !e.Reason.Upstream() || strings.Contains(e.Error(), "secretsecret")) {
			t.Fatalf("error %v", err)
		}
		if err == nil && ex.Delivery != problem.Answered {
			t.Fatalf("no error, and %v", ex.Delivery)
		}
	})
}

func TestEventStream(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"text/event-stream": true, "Text/Event-Stream;charset=utf-8": true, " text/event-stream ;x=y": true,
		"text/plain": false, "text/event-streams": false, "": false, "text/xml; a=text/event-stream": false,
	} {
		if got := EventStream(http.Header{"Content-Type": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	if EventStream(nil) {
		t.Error("an answer without a media type")
	}
}
