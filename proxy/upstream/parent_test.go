package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/names"
)

// parent is a proxy that answers CONNECT.
type parent struct {
	*server
	mu    sync.Mutex
	heads []string
}

// newParent makes a parent proxy that connects everything to target, saying
// answer first.
func newParent(t *testing.T, target, answer string, adjust ...func(*tls.Config) *tls.Config) *parent {
	t.Helper()
	p := &parent{}
	p.server = newServer(t, func(c *serverConn) {
		req, err := http.ReadRequest(c.br)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.heads = append(p.heads, req.Method+" "+req.RequestURI+" "+req.Host+" "+req.Header.Get("Proxy-Authorization"))
		p.mu.Unlock()
		c.say(answer)
		if !strings.Contains(answer, " 200 ") {
			return
		}
		out, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer func() { _ = out.Close() }()
		go func() {
			_, _ = io.Copy(out, c.br)
			_ = out.(*net.TCPConn).CloseWrite()
		}()
		_, _ = io.Copy(c, out)
	}, adjust...)
	return p
}

const established = "HTTP/1.1 200 Connection established\r\n\r\n"

func TestParentProxy(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	p := newParent(t, s.addr, established, noTLS)
	u := &url.URL{Scheme: "http", Host: p.addr, User: url.User("jane")}
	obs := &recorder{}
	tr := start(t, s, func(o *Options) {
		o.Hosts = []Host{Host{Roots: s.ca.pool, Port: 8443}.named(testHost)} // the parent resolves
		o.ParentProxy, o.ParentProxyPassword, o.Warm, o.Observer = u, "s3cret", 1, obs
	})
	r := route(t, tr, testHost)
	wantOK(t, tr, r)
	if ex := wantOK(t, tr, r); !ex.Reused {
		t.Error("not reused")
	}
	obs.wantPool(t, 2, 0)
	p.mu.Lock()
	head := p.heads[0]
	p.mu.Unlock()
	if head != "CONNECT "+testHost+":8443 "+testHost+":8443 Basic amFuZTpzM2NyZXQ=" {
		t.Error(head)
	}
	c, err := tr.DialTunnel(t.Context(), r, &Exchange{})
	check(t, err)
	tc := tls.Client(c, &tls.Config{ServerName: testHost, RootCAs: s.ca.pool})
	check(t, tc.Handshake())
	_ = tc.Close()
}

// A parent proxy may send interim answers before the one to CONNECT.
func TestParentProxyInterim(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	p := newParent(t, s.addr, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n"+established, noTLS)
	tr := start(t, s, func(o *Options) { o.ParentProxy = &url.URL{Scheme: "http", Host: p.addr} })
	wantOK(t, tr, route(t, tr, testHost))
}

func TestParentProxyFails(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	for _, tt := range []struct{ name, answer, says string }{
		{"407", "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=secret\r\n\r\n", "refused CONNECT with status 407"},
		{"502", "HTTP/1.0 502 Bad Gateway\r\n\r\n<html>secret</html>", "refused CONNECT with status 502"},
		{"garbage", "secret\r\n\r\n", "answer to CONNECT is not HTTP"},
		{"a TLS alert", "\x15\x03\x01\x00\x02\x02\x0a", "if it expects TLS, write https:// in upstream.parent_proxy"},
		{"nothing", "", "ended the connection without an answer to CONNECT"},
		{"101", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: secret\r\n\r\n", "refused CONNECT with status 101"},
		{"no end of interim answers", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100), "refused CONNECT with status 100"},
		{"endless head", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: secret\r\n", 10000), "answer to CONNECT is not HTTP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newParent(t, s.addr, tt.answer, noTLS)
			tr := start(t, s, func(o *Options) {
				o.ParentProxy = &url.URL{Scheme: "http", Host: p.addr, User: url.UserPassword("jane", "secret")}
			})
			r := route(t, tr, testHost)
			wantError(t, tr, r, problem.ParentProxy)
			_, err := tr.DialTunnel(t.Context(), r, &Exchange{})
			var e *Error
			if !errors.As(err, &e) || e.Reason != problem.ParentProxy || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), tt.says) {
				t.Error(err)
			}
		})
	}
	for name, change := range map[string]func(*Options){
		"not there":      func(o *Options) { o.ParentProxy = &url.URL{Scheme: "http", Host: closedPort(t)} },
		"does not exist": func(o *Options) { o.ParentProxy = &url.URL{Scheme: "http", Host: "proxy.invalid:3128"} },
		"no TLS":         func(o *Options) { o.ParentProxy = &url.URL{Scheme: "https", Host: closedPort(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tr := start(t, s, change)
			tr.Snapshot().dialer.Names.System = func(context.Context, string) ([]netip.Addr, error) { return nil, names.ErrNoAddress }
			wantError(t, tr, route(t, tr, testHost), problem.ParentProxy)
		})
	}
	t.Run("ourselves", func(t *testing.T) {
		t.Parallel()
		tr := start(t, s, func(o *Options) {
			o.ParentProxy = &url.URL{Scheme: "http", Host: s.addr}
			o.Own = func(a netip.AddrPort) bool { return a.String() == s.addr }
			o.Hosts[0] = o.Hosts[0].at("192.0.2.1")
		})
		wantError(t, tr, route(t, tr, testHost), problem.Loop)
	})
	t.Run("guards what it can", func(t *testing.T) {
		t.Parallel()
		p := newParent(t, s.addr, established, noTLS)
		tr := start(t, s, func(o *Options) { o.ParentProxy = &url.URL{Scheme: "http", Host: p.addr} })
		wantError(t, tr, foreign(t, tr, "169.254.169.254", true), problem.InternalAddress)
		wantError(t, tr, foreign(t, tr, "localhost", true), problem.InternalAddress)
	})
}

// TLS within TLS: liveness, counting and tunnels work through both layers.
func TestParentProxyOverTLS(t *testing.T) {
	t.Parallel()
	s := newServer(t, answerAll)
	p := newParent(t, s.addr, established)
	obs, clk := &recorder{}, newClock()
	tr := startWith(t, s, clk.now, func(o *Options) {
		o.Hosts[0] = o.Hosts[0].at("192.0.2.1")
		_, port, _ := strings.Cut(p.addr, ":")
		o.ParentProxy, o.Observer = &url.URL{Scheme: "https", Host: testHost + ":" + port}, obs
	})
	r := route(t, tr, testHost)
	tr.Snapshot().dialer.Names.System = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	wantError(t, tr, r, problem.ParentProxy) // the parent's certificate is not the system's
	tr.Snapshot().dialer.Parent.Roots = p.ca.pool
	for i := range 3 {
		if ex := wantOK(t, tr, r); ex.TLSVersion != tls.VersionTLS13 || ex.Reused != (i > 0) {
			t.Errorf("%+v", ex)
		}
	}
	obs.wantPool(t, 1, 0)
	c, err := tr.DialTunnel(t.Context(), r, &Exchange{})
	check(t, err)
	if _, ok := c.(interface{ NetConn() net.Conn }); ok {
		t.Error("the socket below the parent's TLS may be read in place of the tunnel")
	}
	tc := tls.Client(c, &tls.Config{ServerName: testHost, RootCAs: s.ca.pool})
	check(t, tc.Handshake())
	check(t, tc.CloseWrite())
	_ = tc.Close()
	s.closeAll()
	clk.advance(2 * time.Second)
	obs.wantPool(t, 0, 0)
}

// Bytes that come together with the parent's answer belong to the tunnel.
func TestParentProxyEarlyBytes(t *testing.T) {
	t.Parallel()
	echo := newServer(t, func(c *serverConn) { _, _ = io.Copy(c, c.br) }, noTLS)
	p := newParent(t, echo.addr, established+"early", noTLS)
	tr := start(t, echo, func(o *Options) { o.ParentProxy = &url.URL{Scheme: "http", Host: p.addr} })
	c, err := tr.DialTunnel(t.Context(), foreign(t, tr, "foreign.test:25", true), &Exchange{})
	check(t, err)
	defer func() { _ = c.Close() }()
	_, err = io.WriteString(c, " late")
	check(t, err)
	check(t, c.(interface{ CloseWrite() error }).CloseWrite())
	if b, err := io.ReadAll(bufio.NewReader(c)); err != nil || string(b) != "early late" {
		t.Errorf("%q %v", b, err)
	}
}
