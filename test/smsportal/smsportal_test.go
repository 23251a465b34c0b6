package smsportal

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
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

// client speaks verified TLS to the server under any of its names.
func client(s *Server) *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: s.Roots()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Addr())
		},
	}}
}

func dial(t *testing.T, s *Server) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: s.Roots(), ServerName: "www.mymobileapi.com"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func do(t *testing.T, s *Server, method, target, contentType, body string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	c := client(s)
	defer c.CloseIdleConnections()
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func TestRecordsExactBytes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		head, body, decoded string
	}{
		"raw spaces and odd escapes": {head: "GET /api5/http5.aspx?Type=credits&data1=a b;%26amp;%zz\xe9 HTTP/1.1\r\nHost: x\r\nX-Odd:  two  \r\n\r\n"},
		"bare line feeds":            {head: "GET / HTTP/1.0\nHost: x\n\n"},
		"body":                       {head: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n", body: "\x00a\r\n", decoded: "\x00a\r\n"},
		"chunked":                    {head: "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", body: "3;ext=1\r\nabc\r\n1\r\nd\r\n0\r\nT: v\r\n\r\n", decoded: "abcd"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, Options{})
			conn := dial(t, s)
			if _, err := io.WriteString(conn, tt.head+tt.body); err != nil {
				t.Fatal(err)
			}
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Fatal(err)
			}
			r := s.Requests()[0]
			if string(r.Raw) != tt.head || string(r.RawBody) != tt.body || string(r.Body) != tt.decoded || !r.Complete {
				t.Errorf("head %q\nraw body %q\nbody %q complete %v", r.Raw, r.RawBody, r.Body, r.Complete)
			}
			if r.TLSVersion != tls.VersionTLS13 || r.ServerName != "www.mymobileapi.com" || r.Conn != 1 {
				t.Errorf("version %x name %q conn %d", r.TLSVersion, r.ServerName, r.Conn)
			}
		})
	}
}

func TestMalformedAndInterruptedRequestsAreRecorded(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	bad := dial(t, s)
	_, _ = io.WriteString(bad, "NONSENSE\r\n\r\n")
	if response, err := http.ReadResponse(bufio.NewReader(bad), nil); err != nil || response.StatusCode != 400 {
		t.Errorf("answer to nonsense: %v %v", response, err)
	}
	cut := dial(t, s)
	_, _ = io.WriteString(cut, "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
	_ = cut.Close()
	wait(t, s, 2)
	if r := s.Requests()[1]; r.Complete || string(r.RawBody) != "abc" {
		t.Errorf("interrupted request: %+v", r)
	}
}

func wait(t *testing.T, s *Server, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.WaitRequests(ctx, n); err != nil {
		t.Fatalf("waiting for %d requests, %d came: %v", n, s.Count(), err)
	}
}

func TestDoublesAreSeen(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	target := "https://api.smsportal.com/api5/http5.aspx?Type=sendparam&Username=u&Password=p&numto=1&data1=once&customerid=c"
	do(t, s, "GET", target, "", "")
	if len(s.Doubles()) != 0 {
		t.Error("one send is a double")
	}
	do(t, s, "POST", target, "", "")
	if got := s.Doubles()[Message{To: "1", Text: "once", CustomerID: "c"}]; got != 2 {
		t.Errorf("counted %d", got)
	}
	s.Reset()
	if s.Count() != 0 || len(s.Sends()) != 0 || len(s.Requests()) != 0 {
		t.Error("not forgotten")
	}
}

func TestConnectionsAreKeptAndResumed(t *testing.T) {
	t.Parallel()
	s := start(t, Options{MaxRequests: 2})
	config := &tls.Config{RootCAs: s.Roots(), ServerName: "api.smsportal.com", ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	for range 2 {
		conn, err := tls.Dial("tcp", s.Addr(), config)
		if err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(conn)
		for i, closes := range []bool{false, true} {
			_, _ = io.WriteString(conn, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n")
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			if response.Close != closes {
				t.Errorf("request %d: close %v", i, response.Close)
			}
		}
		_ = conn.Close()
	}
	var conns, resumed []string
	for _, r := range s.Requests() {
		conns = append(conns, fmt.Sprint(r.Conn))
		resumed = append(resumed, fmt.Sprint(r.Resumed))
	}
	if strings.Join(conns, " ") != "1 1 2 2" || strings.Join(resumed, " ") != "false false true true" {
		t.Errorf("connections %v resumed %v", conns, resumed)
	}
}

func TestRefusesOldTLSAndSharesNothingWhenTold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		server Options
		client *tls.Config
	}{
		"old version": {Options{}, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}},
		"no shared suite": {
			Options{MaxVersion: tls.VersionTLS12, RSA: true, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384}},
			&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, tt.server)
			config := tt.client.Clone()
			config.RootCAs, config.ServerName = s.Roots(), "api.smsportal.com"
			if conn, err := tls.Dial("tcp", s.Addr(), config); err == nil {
				_ = conn.Close()
				t.Error("the handshake succeeded")
			}
		})
	}
}

func TestMessageCountsAsSentBeforeTheDelayedAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Delay: time.Hour})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, "GET /api5/http5.aspx?Type=sendparam&Username=u&Password=p&numto=1&data1=late HTTP/1.1\r\nHost: x\r\n\r\n")
	wait(t, s, 1)
	if len(s.Sends()) != 1 {
		t.Error("not counted")
	}
	// Close, in the cleanup, must not wait for the hour.
}

func TestOverrideAndExpect(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Override: func(r *Request) (Response, bool) {
		return Response{Status: 201, Header: http.Header{"X-Test": {"a", "b"}}, Body: r.Body}, r.Target == "/mine"
	}})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, "PUT /mine HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	reader := bufio.NewReader(conn)
	if line, err := reader.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q %v", line, err)
	}
	_, _ = reader.ReadString('\n')
	_, _ = io.WriteString(conn, "hi")
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != 201 || len(response.Header["X-Test"]) != 2 || string(body) != "hi" {
		t.Errorf("%d %v %q", response.StatusCode, response.Header, body)
	}
	if status, body := do(t, s, "GET", "https://api.smsportal.com/api5/api.asmx?wsdl", "", ""); status != 200 || !strings.Contains(body, "soap:address") {
		t.Errorf("%d %s", status, body)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := start(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.WaitRequests(ctx, 1); err == nil {
		t.Error("waited for nothing and found it")
	}
	if err := s.WaitConnections(ctx, 1); err == nil {
		t.Error("waited for nothing and found it")
	}
}

func TestKeepBoundsMemoryNotCounts(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Keep: 2})
	for i := range 5 {
		do(t, s, "GET", fmt.Sprintf("https://api.smsportal.com/%d", i), "", "")
	}
	if got := s.Requests(); len(got) != 2 || got[1].Target != "/4" || s.Count() != 5 {
		t.Errorf("kept %d of %d", len(got), s.Count())
	}
}

// exhausted is a listener without file descriptors.
type exhausted struct {
	net.Listener
	tried atomic.Int32
}

func (l *exhausted) Accept() (net.Conn, error) {
	l.tried.Add(1)
	return nil, syscall.EMFILE
}

func TestPausesWithoutDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := new(exhausted)
		s := &Server{listener: l}
		s.stopped, s.stop = context.WithCancel(context.Background())
		go s.accept()
		time.Sleep(time.Second)
		s.stop()
		if n := l.tried.Load(); n < 2 || n > 100 {
			t.Errorf("%d attempts in a second", n)
		}
	})
}
