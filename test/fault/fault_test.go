package fault

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"tlslift/test/certs"
)

func start(t *testing.T, options Options) *Server {
	t.Helper()
	s, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func dial(t *testing.T, s *Server) (*tls.Conn, error) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CAPEM())
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", s.Addr(), &tls.Config{RootCAs: pool, ServerName: "fault.test"})
	if err == nil {
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return conn, err
}

const request = "POST /marker HTTP/1.1\r\nHost: fault.test\r\nContent-Length: 4\r\n\r\nbody"

// TestActions looks at each fault from the client's side: what a careful
// client reads, and how its reading ends.
func TestActions(t *testing.T) {
	t.Parallel()
	const big = 2 << 20
	tests := []struct {
		action   Action
		prefix   string // of what is read
		length   int    // of what is read; -1 = whatever
		end      error  // io.EOF after close_notify; crypto/tls reports the same for a cut between records
		bodyRead bool
	}{
		{AfterRead(Close), "", 0, io.EOF, true},
		{AfterRead(Cut), "", 0, io.EOF, true},
		{AfterRead(Reset), "", 0, syscall.ECONNRESET, true},
		{AfterHead(Close), "", 0, io.EOF, false},
		{HalfHead(Close), "HTTP/1.1 200 OK\r\nContent-Ty", 27, io.EOF, true},
		{HalfBody(100, Close), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nxxx", 40 + 50, io.EOF, true},
		{HalfBody(big, Cut), "HTTP/1.1 200 OK\r\n", 44 + big/2, io.EOF, true},
		{HalfChunked(100, Close), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nxxx", -1, io.EOF, true},
		{UntilClose("body", Cut), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbody", -1, io.EOF, true},
		{Garbage(), "\x00\x01", -1, io.EOF, true},
		{HugeHead(big), "HTTP/1.1 200 OK\r\nX-Filler: aaa", -1, io.EOF, true},
		{AnswerThenEnd(Close), "HTTP/1.1 200 OK\r\n", -1, io.EOF, true},
		{Early(413), "HTTP/1.1 413 Early\r\n", -1, io.EOF, false},
	}
	for _, tt := range tests {
		t.Run(tt.action.Name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Script: Always(tt.action)})
			conn, err := dial(t, s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatal(err)
			}
			var read bytes.Buffer
			_, err = read.ReadFrom(conn)
			if err == nil {
				err = io.EOF
			}
			if !errors.Is(err, tt.end) {
				t.Errorf("ended with %v, want %v", err, tt.end)
			}
			if !strings.HasPrefix(read.String(), tt.prefix) || tt.length >= 0 && read.Len() != tt.length {
				t.Errorf("read %d bytes: %.80q", read.Len(), read.String())
			}
			seen := s.Requests()
			if len(seen) != 1 || !seen[0].HeadDone || seen[0].BodyDone != tt.bodyRead || s.Count("/marker") != 1 {
				t.Errorf("seen %+v", seen)
			}
		})
	}
}

// TestCutHasNoCloseNotify looks below crypto/tls, which does not tell: in TLS
// 1.2 an alert's record has a type of its own.
func TestCutHasNoCloseNotify(t *testing.T) {
	t.Parallel()
	for end, want := range map[End]bool{Close: true, Cut: false} {
		s := start(t, Options{Script: Always(UntilClose("body", end)), Configure: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }})
		raw, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		var wire bytes.Buffer
		conn := tls.Client(teeConn{raw, &wire}, &tls.Config{RootCAs: s.CA().Pool(), ServerName: "fault.test"})
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil {
			t.Fatal(err)
		}
		if got := lastRecordType(wire.Bytes()) == 21; got != want {
			t.Errorf("%v: ends with an alert: %v, want %v", end, got, want)
		}
	}
}

type teeConn struct {
	net.Conn
	seen *bytes.Buffer
}

func (c teeConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.seen.Write(p[:n])
	return n, err
}

func lastRecordType(stream []byte) (last byte) {
	for len(stream) >= 5 {
		last = stream[0]
		stream = stream[min(len(stream), 5+(int(stream[3])<<8|int(stream[4]))):]
	}
	return last
}

func TestHealthyAnswers(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	close(release)
	for _, action := range []Action{Answer("ok"), Informational(3), Delay(time.Millisecond), Drip("ok", time.Millisecond), Hold(release)} {
		t.Run(action.Name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{Script: Always(action)})
			conn, err := dial(t, s)
			if err != nil {
				t.Fatal(err)
			}
			reader := bufio.NewReader(conn)
			for range 2 {
				_, _ = io.WriteString(conn, request)
				if body := finalAnswer(t, reader); body != "ok" {
					t.Errorf("body %q", body)
				}
			}
		})
	}
}

func finalAnswer(t *testing.T, reader *bufio.Reader) string {
	t.Helper()
	for {
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode >= 200 {
			return string(body)
		}
	}
}

func TestClosesAsTheNextRequestArrives(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Script: Always(AnswerThenCloseOnNext(Reset))})
	conn, err := dial(t, s)
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, request)
	finalAnswer(t, reader)
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatalf("the write itself should succeed: %v", err)
	}
	if _, err := reader.ReadByte(); err == nil {
		t.Error("the second request was answered")
	}
	if got := s.Count("/marker"); got != 1 {
		t.Errorf("%d requests were read", got)
	}
}

func TestStallsUntilThePeerLeaves(t *testing.T) {
	t.Parallel()
	for _, action := range []Action{Stall(), StallInBody(100)} {
		s := start(t, Options{Script: Always(action)})
		conn, err := dial(t, s)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, request)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Wait(ctx, "/marker", 1); err != nil {
			t.Fatal(err)
		}
		if action.Name == "stall" {
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
				t.Errorf("not stalled: %v", err)
			}
		}
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestGreetings(t *testing.T) {
	t.Parallel()
	for name, greeting := range map[string]Greeting{
		"close": CloseAtOnce, "reset": ResetAtOnce, "garbage": GarbageHandshake, "close on hello": CloseOnHello,
	} {
		s := start(t, Options{Greet: func(conn int) Greeting {
			if conn == 1 {
				return greeting
			}
			return Handshake
		}})
		if _, err := dial(t, s); err == nil {
			t.Errorf("%s: the handshake succeeded", name)
		}
		if _, err := dial(t, s); err != nil {
			t.Errorf("%s: the second connection failed: %v", name, err)
		}
		if s.Connections() != 2 {
			t.Errorf("%s: %d connections", name, s.Connections())
		}
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Script: OnReuse(AfterRead(Close))})
	conn, err := dial(t, s)
	if err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	_, _ = io.WriteString(conn, request)
	finalAnswer(t, reader)
	_, _ = io.WriteString(conn, request)
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the reused connection ended with %v", err)
	}

	marked := start(t, Options{Script: Marked("/bad", AfterRead(Close))})
	conn, err = dial(t, marked)
	if err != nil {
		t.Fatal(err)
	}
	reader = bufio.NewReader(conn)
	_, _ = io.WriteString(conn, request)
	finalAnswer(t, reader)
	_, _ = io.WriteString(conn, strings.Replace(request, "/marker", "/bad", 1))
	if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the marked request ended with %v", err)
	}
}

func TestCertificateIsOfTheGivenCA(t *testing.T) {
	t.Parallel()
	ca, err := certs.NewCA("given", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Options{CA: ca, Leaf: certs.Leaf{Names: []string{"other.test"}}, Configure: func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }})
	conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: ca.Pool(), ServerName: "other.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if v := conn.ConnectionState().Version; v != tls.VersionTLS12 {
		t.Errorf("version %x", v)
	}
}

func TestRelayDelaysBothWays(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	s := start(t, Options{Script: Always(Answer("far"))})
	relay, err := NewRelay(s.Addr(), delay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relay.Close() })
	began := time.Now()
	conn, err := tls.Dial("tcp", relay.Addr(), &tls.Config{RootCAs: s.CA().Pool(), ServerName: "fault.test"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	var trips []time.Duration
	for range 2 {
		_, _ = io.WriteString(conn, request)
		if body := finalAnswer(t, reader); body != "far" {
			t.Errorf("body %q", body)
		}
		trips = append(trips, time.Since(began))
		began = time.Now()
	}
	// TCP, TLS 1.3 and the request; then the request alone. Lower bounds only:
	// a busy machine may take any time longer.
	if trips[0] < 6*delay || trips[1] < 2*delay {
		t.Errorf("took %v, want at least %v and %v", trips, 6*delay, 2*delay)
	}
	if relay.Connections() != 1 {
		t.Errorf("%d connections", relay.Connections())
	}
}

func TestRelayCarriesAllBytesAndHalfCloses(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() { // sends back everything once it saw the end
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(conn)
		_, _ = conn.Write(all)
	}()
	relay, err := NewRelay(listener.Addr().String(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	conn, err := net.Dial("tcp", relay.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	back, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(back, sent) {
		t.Errorf("%d of %d bytes came back: %v", len(back), len(sent), err)
	}
}
