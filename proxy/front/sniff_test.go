package front

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"
)

// connOf returns an accepted connection that brings the segments, then fails.
func connOf(failure error, segments ...string) *Conn {
	var readers []io.Reader
	for _, s := range segments {
		readers = append(readers, strings.NewReader(s))
	}
	r := io.MultiReader(append(readers, iotest.ErrReader(failure))...)
	return accepted(&readerConn{Reader: r}, NewShared(Limits{}, newGauge().add))
}

func TestSniff(t *testing.T) {
	t.Parallel()
	reset := &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	tests := []struct {
		raw  string
		end  error
		kind Kind
		err  error
	}{
		{"\x16", io.EOF, KindTLS, nil},
		{clientHello, io.EOF, KindTLS, nil},
		{"\x80\x2e\x01\x03\x01", io.EOF, KindSSLv2, nil},
		{"\xff\xff\x01", io.EOF, KindSSLv2, nil},
		{"\x80\x2e\x02\x03\x01", io.EOF, KindHTTP, nil},
		{"\x80\x2e", io.EOF, KindHTTP, nil},
		{"\x80", reset, KindHTTP, nil},
		{get, io.EOF, KindHTTP, nil},
		{"\r\n", io.EOF, KindHTTP, nil},
		{"\x00", io.EOF, KindHTTP, nil},
		{"\x15\x03\x01", io.EOF, KindHTTP, nil},
		{"\x7f", io.EOF, KindHTTP, nil},
		{strings.Repeat("x", 3*peekBuffer), io.EOF, KindHTTP, nil},
		{"", io.EOF, KindEOF, nil},
		{"", reset, KindEOF, reset},
		{"", net.ErrClosed, KindEOF, net.ErrClosed},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 2, len(tt.raw) + 1} {
			c := connOf(tt.end, split(tt.raw, size)...)
			if kind, err := Sniff(c, time.Time{}); kind != tt.kind || !errors.Is(err, tt.err) {
				t.Errorf("%.20q in segments of %d: %v, %v; want %v, %v", tt.raw, size, kind, err, tt.kind, tt.err)
			}
			if got, _ := io.ReadAll(c); string(got) != tt.raw {
				t.Errorf("%.20q in segments of %d: read afterwards: %.20q", tt.raw, size, got)
			}
		}
	}
}

// What is not known at the deadline is not guessed.
func TestSniffDeadline(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "\x80", "\x80\x2e"} {
		synctest.Test(t, func(t *testing.T) {
			near, far := pipes(caller)
			c := accepted(near, NewShared(Limits{}, newGauge().add))
			defer far.Close()
			defer near.Close()
			if raw != "" {
				go func() { _, _ = io.WriteString(far, raw) }()
			}
			start := time.Now()
			kind, err := Sniff(c, start.Add(3*time.Second))
			if kind != KindEOF || !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
				t.Errorf("%q: %v, %v after %v", raw, kind, err, time.Since(start))
			}
		})
	}
}

// However a connection is peeked at, put back and read, every byte comes once,
// and in order.
func TestPeekUnreadRead(t *testing.T) {
	t.Parallel()
	peek := func(n int, want string, end error) func(*testing.T, *Conn) {
		return func(t *testing.T, c *Conn) {
			t.Helper()
			got, err := c.Peek(n)
			if string(got) != want || !errors.Is(err, end) || c.Buffered() != len(want) {
				t.Errorf("peek %d: %.20q (%d), %v, %d buffered; want %.20q (%d), %v", n, got, len(got), err, c.Buffered(), want, len(want), end)
			}
		}
	}
	read := func(n int, want string, end error) func(*testing.T, *Conn) {
		return func(t *testing.T, c *Conn) {
			t.Helper()
			p := make([]byte, n)
			got, err := c.Read(p)
			if string(p[:got]) != want || !errors.Is(err, end) {
				t.Errorf("read %d: %.20q, %v; want %.20q, %v", n, p[:got], err, want, end)
			}
		}
	}
	unread := func(s string) func(*testing.T, *Conn) { return func(_ *testing.T, c *Conn) { c.Unread([]byte(s)) } }
	tests := []struct {
		name     string
		segments []string
		steps    []func(*testing.T, *Conn)
	}{
		{"read", []string{"ab", "cd"}, []func(*testing.T, *Conn){read(9, "ab", nil), read(1, "c", nil), read(9, "d", nil), read(9, "", io.EOF)}},
		{"peek, read", []string{"ab", "cd"}, []func(*testing.T, *Conn){
			peek(0, "", nil), peek(1, "ab", nil), peek(2, "ab", nil), peek(3, "abcd", nil), read(3, "abc", nil), peek(1, "d", nil), read(9, "d", nil), read(9, "", io.EOF),
		}},
		{"peek beyond the end", []string{"ab"}, []func(*testing.T, *Conn){
			peek(3, "ab", io.EOF), peek(2, "ab", nil), read(9, "ab", nil), peek(1, "", io.EOF), read(9, "", io.EOF),
		}},
		{"unread before all", []string{"cd"}, []func(*testing.T, *Conn){unread("ab"), read(1, "a", nil), read(9, "b", nil), read(9, "cd", nil)}},
		{"unread nothing", []string{"ab"}, []func(*testing.T, *Conn){unread(""), peek(1, "ab", nil), unread(""), read(9, "ab", nil)}},
		{"unread before what was peeked at", []string{"ef", "gh"}, []func(*testing.T, *Conn){
			peek(1, "ef", nil), unread("cd"), unread("ab"), peek(7, "abcdefgh", nil), read(5, "abcde", nil), unread("e"), read(9, "efgh", nil), read(9, "", io.EOF),
		}},
		{"an empty read", []string{"ab"}, []func(*testing.T, *Conn){peek(1, "ab", nil), read(0, "", nil), read(9, "ab", nil)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := connOf(io.EOF, tt.segments...)
			for _, step := range tt.steps {
				step(t, c)
			}
		})
	}
}

// More than a buffer can be peeked at.
func TestPeekMuch(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", peekBuffer)
	c := connOf(io.EOF, long, long)
	got, err := c.Peek(len(long) + 1)
	if len(got) <= len(long) || err != nil || !strings.HasPrefix(long+long, string(got)) {
		t.Errorf("peeked at %d bytes of %d, %v", len(got), 2*len(long), err)
	}
	if rest, _ := io.ReadAll(c); string(rest) != long+long {
		t.Errorf("read %d bytes, want %d", len(rest), 2*len(long))
	}
}

// What is given to Unread is not written to, and what Peek returned stays as it
// is until the next read.
func TestPeekedBytesStay(t *testing.T) {
	t.Parallel()
	c := connOf(io.EOF, "cd", strings.Repeat("x", 2*peekBuffer))
	given := append(make([]byte, 0, 2*peekBuffer), "ab"...)
	c.Unread(given)
	first, _ := c.Peek(2)
	if _, err := c.Peek(peekBuffer); err != nil {
		t.Error(err)
	}
	if got := string(given[:4]); got != "ab\x00\x00" || string(first) != "ab" {
		t.Errorf("given %q, first %q", got, first)
	}
}
