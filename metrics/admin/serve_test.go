package admin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/host"
)

// listen opens a listener on a free port.
func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serving serves everything until the test ends.
func serving(t testing.TB, a *Admin) string {
	t.Helper()
	ln := listen(t)
	done := make(chan error, 1)
	go func() { done <- a.Serve(ln) }()
	t.Cleanup(func() {
		if err := a.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// exchange sends raw bytes and returns everything that comes back.
func exchange(t testing.TB, addr, raw string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	// The server may answer and close before it has read everything.
	_, _ = io.WriteString(conn, raw)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func TestServeAndShutdown(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	private, public := listen(t), listen(t)
	done := make(chan error, 2)
	go func() { done <- a.Serve(private) }()
	go func() { done <- a.ServePublic(public) }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for url, want := range map[string]int{
		"http://" + private.Addr().String() + "/ca.pem":  200, // loopback: no token
		"http://" + public.Addr().String() + "/ca.pem":   404,
		"http://" + public.Addr().String() + "/healthz":  200,
		"http://" + private.Addr().String() + "/metrics": 200,
	} {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: %d, want %d", url, resp.StatusCode, want)
		}
	}
	if err := a.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	}
	if err := a.Serve(listen(t)); err != nil {
		t.Errorf("serving after Shutdown: %v", err)
	}
}

func TestAListenerThatFailsIsReported(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := New(full(t)).Serve(ln); err == nil || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("serving on a closed listener: %v", err)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	entered, leave := make(chan struct{}), make(chan struct{})
	a.Mount("/api/v1/", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-leave
	}))
	ln := listen(t)
	done := make(chan error, 1)
	go func() { done <- a.Serve(ln) }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /api/v1/slow HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Shutdown(ctx); err == nil {
		t.Error("Shutdown said nothing of an answer that it cut")
	}
	if _, err := io.ReadAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection that was cut: %v", err)
	}
	close(leave)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestSlowAndLargeRequestsEnd(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	a.limits.readHeader, a.limits.read, a.limits.idle = 300*time.Millisecond, 500*time.Millisecond, 300*time.Millisecond
	addr := serving(t, a)
	for name, tt := range map[string]struct{ raw, want string }{
		"nothing":       {"", ""},
		"half a head":   {"GET /metrics HTTP/1.1\r\nHost:", ""},
		"half a body":   {"POST /quit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx", "HTTP/1.1 200"},
		"a large head":  {"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		"garbage":       {"\x16\x03\x01\x00\x05hello\r\n\r\n", "HTTP/1.1 400"},
		"then idle":     {"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200"},
		"no Host":       {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 421"},
		"absolute form": {"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 421"},
		"CONNECT":       {"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exchange(t, addr, tt.raw); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%.60q, want %q", got, tt.want)
			}
		})
	}
}

// TestASlowReaderBlocksNobody leaves an answer unread and asks again.
func TestASlowReaderBlocksNobody(t *testing.T) {
	t.Parallel()
	a := New(full(t))
	a.limits.write = 200 * time.Millisecond
	big := strings.Repeat("x", 32<<20)
	written := make(chan error, 1)
	a.Mount("/api/v1/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, big)
		written <- err
	}))
	addr := serving(t, a)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /api/v1/big HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := exchange(t, addr, "GET /healthz HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 200") {
		t.Errorf("/healthz meanwhile: %q", got)
	}
	if err := <-written; err == nil {
		t.Error("an answer that nobody reads was written whole")
	}
}

// blockedHandler answers when it is let.
type blockedHandler struct{ entered, leave chan struct{} }

func (h blockedHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	h.entered <- struct{}{}
	<-h.leave
	sentence(w, http.StatusOK, "at last")
}

// TestExpensiveAnswersAreBounded in all and to one peer: who comes too much is
// told when to come again.
func TestExpensiveAnswersAreBounded(t *testing.T) {
	t.Parallel()
	inside := blockedHandler{make(chan struct{}), make(chan struct{})}
	h := newGate(3, 2).bound(inside)
	askFrom := func(addr string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = addr
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	answers := make(chan int)
	enter := func(addr string) {
		go func() { answers <- askFrom(addr).StatusCode }()
		<-inside.entered
	}
	refused := func(addr string) {
		t.Helper()
		if resp := askFrom(addr); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: %d, Retry-After %q", addr, resp.StatusCode, resp.Header.Get("Retry-After"))
		}
	}
	enter("10.0.0.1:1")
	enter("10.0.0.1:2")
	refused("10.0.0.1:3")
	enter("10.0.0.2:1")
	refused("10.0.0.3:1")
	close(inside.leave)
	for range 3 {
		if got := <-answers; got != 200 {
			t.Errorf("an answer within the bound: %d", got)
		}
	}
	go func() { <-inside.entered }()
	if got := askFrom("10.0.0.1:4").StatusCode; got != 200 {
		t.Errorf("afterwards: %d", got)
	}
}

func TestScrapesOfOnePeerAreBounded(t *testing.T) {
	t.Parallel()
	gathering, release := make(chan struct{}), make(chan struct{})
	o := full(t)
	o.Gatherer = blockedGatherer{gathering, release}
	addr := serving(t, New(o))
	const request = "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n"
	answers := make(chan string)
	for range maxScrapesOfPeer {
		go func() { answers <- exchange(t, addr, request) }()
		<-gathering
	}
	if got := exchange(t, addr, request); !strings.HasPrefix(got, "HTTP/1.0 503") || !strings.Contains(got, "Retry-After: 1") {
		t.Errorf("one scrape too many: %.40q", got)
	}
	close(release)
	for range maxScrapesOfPeer {
		if got := <-answers; !strings.HasPrefix(got, "HTTP/1.0 200") {
			t.Errorf("a scrape within the bound: %.40q", got)
		}
	}
}

func TestCPUProfile(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	t.Parallel()
	a := New(full(t))
	a.limits.write = 4 * time.Second // shorter than the profile
	addr := serving(t, a)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /debug/pprof/profile?seconds=5 HTTP/1.0\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	profile, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(string(profile), "\x1f\x8b") {
		t.Errorf("%d, %d bytes, %v", resp.StatusCode, len(profile), err)
	}
}

// An application whose http_proxy names the admin port is told where the proxy
// is, on a network address without naming what listens inside.
func TestAProxyRequestIsToldWhereTheProxyIs(t *testing.T) {
	t.Parallel()
	options := func(proxy string) Options {
		o := full(t)
		o.Proxy = func() string { return proxy }
		o.Upstreams = func() []host.Pattern {
			return []host.Pattern{host.Exact(host.MustParse("api.smsportal.com"))}
		}
		return o
	}
	const named, unnamed = "the proxy listens on 127.0.0.1:3199.", "the proxy listens on the address in listen, 127.0.0.1:3128 by default."
	for name, c := range map[string]struct {
		handler http.Handler
		request string
		status  string
		want    string
	}{
		"absolute":              {New(options("127.0.0.1:3199")).Handler(true), "GET http://api.smsportal.com/api5/http5.aspx?Type=x HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n", "421", named},
		"CONNECT":               {New(options("127.0.0.1:3199")).Handler(true), "CONNECT rest.smsportal.com:443 HTTP/1.1\r\nHost: rest.smsportal.com:443\r\n\r\n", "421", named},
		"CONNECT to an address": {New(options("127.0.0.1:3199")).Handler(true), "CONNECT 10.0.0.7:443 HTTP/1.1\r\nHost: 10.0.0.7:443\r\n\r\n", "405", named},
		"every address":         {New(options("0.0.0.0:3199")).Handler(true), "CONNECT rest.smsportal.com:443 HTTP/1.1\r\nHost: rest.smsportal.com:443\r\n\r\n", "421", named},
		"no proxy":              {New(options("")).Handler(true), "POST http://api.smsportal.com/ HTTP/1.1\r\nHost: api.smsportal.com\r\nContent-Length: 0\r\n\r\n", "421", unnamed},
		"on the network":        {New(options("127.0.0.1:3199")).Handler(false), "GET http://api.smsportal.com/ HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n", "421", unnamed},
		"on the public one":     {New(options("127.0.0.1:3199")).PublicHandler(), "CONNECT rest.smsportal.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", "421", unnamed},
		"a base URL":            {New(options("127.0.0.1:3199")).Handler(true), "POST /api.smsportal.com/api5/http5.aspx HTTP/1.1\r\nHost: localhost:9128\r\nContent-Length: 0\r\n\r\n", "421", named},
		"a base URL, a port":    {New(options("127.0.0.1:3199")).PublicHandler(), "GET /API.smsportal.com:443 HTTP/1.1\r\nHost: 10.0.0.7\r\n\r\n", "421", unnamed},
		"another path":          {New(options("127.0.0.1:3199")).Handler(true), "GET /other.example/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "404", "There is nothing here."},
		"absolute to us":        {New(options("127.0.0.1:3199")).Handler(true), "GET http://localhost:9128/api/v1/build HTTP/1.1\r\nHost: localhost:9128\r\n\r\n", "200", "abcdef"},
		"absolute with token":   {New(options("127.0.0.1:3199")).Handler(false), "GET http://gateway.example/api/v1/build HTTP/1.1\r\nHost: gateway.example\r\nAuthorization: Bearer " + token + "\r\n\r\n", "200", "abcdef"},
		"a rebound name":        {New(options("127.0.0.1:3199")).Handler(true), "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421", "The Host header must be"},
		"a probe, proxied too":  {New(options("127.0.0.1:3199")).Handler(true), "GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", "200", "ok"},
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(c.request)))
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, r)
		if got := w.Body.String(); !strings.HasPrefix(w.Result().Status, c.status) || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, %s", name, w.Result().Status, got)
		}
	}
}
