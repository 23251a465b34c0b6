package front

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"tlslift/proxy/call"
)

// testLimits are generous: a test that needs a tight limit sets its own.
func testLimits() Limits {
	return Limits{
		HeaderBytes: 64 << 10, BodyBytes: 10 << 20,
		HeaderTimeout: 10 * time.Second, BodyTimeout: 60 * time.Second, IdleTimeout: 120 * time.Second,
	}
}

// scriptConn delivers its segments one by one, then end.
type scriptConn struct {
	segments []string
	end      error
	written  strings.Builder
}

func (s *scriptConn) Read(p []byte) (int, error) {
	for len(s.segments) > 0 {
		n := copy(p, s.segments[0])
		s.segments[0] = s.segments[0][n:]
		if s.segments[0] == "" {
			s.segments = s.segments[1:]
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, s.end
}

func (s *scriptConn) Write(p []byte) (int, error)      { return s.written.Write(p) }
func (s *scriptConn) Close() error                     { return nil }
func (s *scriptConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *scriptConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *scriptConn) SetDeadline(time.Time) error      { return nil }
func (s *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (s *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// seenBy is what net/http would have read from a connection.
type seenBy struct {
	bytes   string
	refusal *Refusal
	body    *BodyError
	head    int
	read    int64
}

// feed reads everything from a Conn over the segments, as net/http would.
func feed(lim Limits, sniff bool, end error, segments ...string) seenBy {
	c := NewConn(&scriptConn{segments: segments, end: end}, &call.Conn{}, NewShared(lim))
	if sniff {
		_, _ = Sniff(c, time.Time{})
	}
	var got strings.Builder
	p := make([]byte, 4096)
	for {
		n, err := c.Read(p)
		got.Write(p[:n])
		if err != nil {
			break
		}
	}
	seen := seenBy{bytes: got.String(), refusal: c.Refusal(), head: c.HeadBytes(), read: c.BodyRead()}
	_ = errors.As(c.BodyErr(), &seen.body)
	return seen
}

// split cuts s into segments of n bytes.
func split(s string, n int) (segments []string) {
	for len(s) > n {
		segments = append(segments, s[:n])
		s = s[n:]
	}
	return append(segments, s)
}

// deliveries are the ways in which the same bytes may arrive.
func deliveries(raw string) map[string]func(Limits) seenBy {
	return map[string]func(Limits) seenBy{
		"one segment": func(l Limits) seenBy { return feed(l, false, io.EOF, raw) },
		"sniffed":     func(l Limits) seenBy { return feed(l, true, io.EOF, raw) },
		"byte by byte": func(l Limits) seenBy {
			return feed(l, false, io.EOF, split(raw, 1)...)
		},
		"sniffed, byte by byte": func(l Limits) seenBy {
			return feed(l, true, io.EOF, split(raw, 1)...)
		},
		"seven at a time": func(l Limits) seenBy { return feed(l, false, io.EOF, split(raw, 7)...) },
	}
}
