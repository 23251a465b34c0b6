package harness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Caller is a client that sends exactly the bytes it is told to.
type Caller struct {
	t      testing.TB
	conn   net.Conn
	reader *bufio.Reader
	wire   bytes.Buffer // everything that came
}

// Answer is one complete response.
type Answer struct {
	*http.Response        // its Body was read
	Text           string // the body, decoded from chunks
	Raw            string // its bytes on the wire
}

// Problem is the Tlslift-Error header.
func (a Answer) Problem() string { return a.Header.Get("Tlslift-Error") }

// Delivery is the Tlslift-Delivery header.
func (a Answer) Delivery() string { return a.Header.Get("Tlslift-Delivery") }

// Dial connects a Caller.
func Dial(t testing.TB, address string) *Caller {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, Patience)
	if err != nil {
		t.Fatal(err)
	}
	return NewCaller(t, conn)
}

// NewCaller speaks over an open connection, which the cleanup closes.
func NewCaller(t testing.TB, conn net.Conn) *Caller {
	c := &Caller{t: t, conn: conn}
	c.reader = bufio.NewReader(io.TeeReader(conn, &c.wire))
	_ = conn.SetDeadline(time.Now().Add(Patience))
	t.Cleanup(func() { _ = conn.Close() })
	return c
}

// Conn is the connection below.
func (c *Caller) Conn() net.Conn { return c.conn }

// Send writes the bytes; a peer that closed meanwhile is not an error, its
// answer tells more.
func (c *Caller) Send(text string) *Caller {
	_ = c.conn.SetDeadline(time.Now().Add(Patience)) // of each exchange, not of all
	_, _ = io.WriteString(c.conn, text)
	return c
}

// Answer reads one final response to a request with that method.
func (c *Caller) Answer(method string) Answer {
	c.t.Helper()
	answer, err := c.TryAnswer(method)
	if err != nil {
		c.t.Fatalf("reading the answer: %v, after %.300q", err, c.wire.String())
	}
	return answer
}

// TryAnswer reads one final response and returns what went wrong in it.
func (c *Caller) TryAnswer(method string) (Answer, error) {
	for {
		from := c.wire.Len() - c.reader.Buffered()
		response, err := http.ReadResponse(c.reader, &http.Request{Method: method})
		if err != nil {
			return Answer{}, fmt.Errorf("reading the head: %w", err)
		}
		if response.StatusCode < 200 {
			continue
		}
		if method == http.MethodConnect && response.StatusCode == http.StatusOK {
			return Answer{Response: response}, nil
		}
		body, err := io.ReadAll(response.Body)
		answer := Answer{response, string(body), string(c.wire.Bytes()[from : c.wire.Len()-c.reader.Buffered()])}
		if err != nil {
			return answer, fmt.Errorf("reading the body: %w", err)
		}
		checkDocumented(c.t, answer)
		return answer, nil
	}
}

// CloseWrite half-closes: the caller says no more but still listens.
func (c *Caller) CloseWrite() {
	c.t.Helper()
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok {
		c.t.Fatal("this connection cannot half-close")
	}
	_ = half.CloseWrite()
}

// Close hangs up.
func (c *Caller) Close() {
	defer unshared()()
	_ = c.conn.Close()
}

// unshared keeps the connection out of the hands of processes that are being
// started until its result is called: between fork and exec these have all files,
// and a connection that another process has does not end when it is closed.
func unshared() (share func()) {
	syscall.ForkLock.RLock()
	return syscall.ForkLock.RUnlock
}

// Reset hangs up with an RST.
func (c *Caller) Reset() {
	defer unshared()()
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.conn.Close()
}

// ExpectClosed fails the test unless the peer closes without another byte.
func (c *Caller) ExpectClosed() {
	c.t.Helper()
	b, err := c.reader.ReadByte()
	var timeout net.Error
	switch {
	case err == nil:
		c.t.Errorf("the connection stays open and says %q...", b)
	case errors.As(err, &timeout) && timeout.Timeout():
		c.t.Error("the connection stays open")
	}
}

// Rest is everything until the peer closes.
func (c *Caller) Rest() string {
	rest, _ := io.ReadAll(c.reader)
	return string(rest)
}

// Tunnel asks for a tunnel; the Caller then speaks inside it.
func (c *Caller) Tunnel(authority string) *Caller {
	c.t.Helper()
	c.Send("CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n")
	if answer := c.Answer(http.MethodConnect); answer.StatusCode != http.StatusOK {
		c.t.Fatalf("CONNECT was answered %d %s", answer.StatusCode, answer.Text)
	}
	return c
}

// Ask sends one request on a new connection and reads the answer.
func (p *Process) Ask(request string) Answer {
	p.t.Helper()
	c := Dial(p.t, p.Addr())
	defer c.Close()
	method, _, _ := strings.Cut(request, " ")
	return c.Send(request).Answer(method)
}

// Bytes lets a connection be used by crypto/tls after a Tunnel: what the
// reader holds already comes first.
func (c *Caller) Bytes() net.Conn { return bufferedConn{c.conn, c.reader} }

type bufferedConn struct {
	net.Conn
	reader io.Reader
}

func (b bufferedConn) Read(p []byte) (int, error) { return b.reader.Read(p) }

// ReadLine reads one line, with its end.
func (c *Caller) ReadLine() string {
	c.t.Helper()
	line, err := c.reader.ReadString('\n')
	if err != nil {
		c.t.Fatalf("reading a line: %v after %q", err, line)
	}
	return line
}

// Stream reads an answer's head and leaves its body to be read as it comes.
func (c *Caller) Stream(method string) *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.reader, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("reading the head: %v", err)
	}
	return response
}
