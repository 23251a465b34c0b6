package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/names"
	"tlslift/test/certs"
	"tlslift/test/memnet"
)

// network is one in memory. By the last byte of its address a host is silent
// (1), refuses (2), or accepts.
type network struct {
	mu     sync.Mutex
	tried  []string
	accept func(net.Conn)
}

func (n *network) dial(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
	if err := judge(addr); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tried = append(n.tried, addr.Addr().String())
	switch addr.Addr().As4()[3] {
	case 1:
		n.mu.Unlock()
		<-ctx.Done()
		n.mu.Lock()
		return nil, ctx.Err()
	case 2:
		return nil, syscall.ECONNREFUSED
	}
	near, far := memnet.Pipe(&net.TCPAddr{}, net.TCPAddrFromAddrPort(addr))
	if n.accept != nil {
		go n.accept(far)
	}
	return near, nil
}

type silent struct{ Observer }

func (silent) Phase(string, call.Phase, time.Duration) {}
func (silent) Handshake(string, uint16, uint16, bool)  {}
func (silent) Certificate(string, time.Time)           {}
func (silent) ClassicHello(string)                     {}

// dialer resolves every name as the given addresses.
func dialer(t *testing.T, n *network, addrs ...string) *Dialer {
	return &Dialer{
		Names: names.New(t.Context(), names.Options{
			HostsFile: "/dev/null", ResolvConf: "/dev/null", Logger: zap.NewNop(), Now: time.Now, Known: new(names.Known),
			System: func(context.Context, string) (found []netip.Addr, err error) {
				for _, a := range addrs {
					found = append(found, netip.MustParseAddr(a))
				}
				return found, nil
			},
		}),
		Loops: new(Loops), Own: func(a netip.AddrPort) bool { return a.Port() == 99 }, Timeout: 5 * time.Second, TLSTimeout: 5 * time.Second,
		Now: time.Now, Observer: silent{}, Logger: zap.NewNop(), Net: n.dial,
	}
}

// TestAddressesInTurn: an address that does not answer costs attemptDelay, one
// that refuses nothing.
func TestAddressesInTurn(t *testing.T) {
	for _, tt := range []struct {
		addrs []string
		took  time.Duration
		tried string
		want  problem.Reason // None = works
	}{
		{[]string{"203.0.113.5"}, 0, "[203.0.113.5]", problem.None},
		{[]string{"203.0.113.2", "203.0.113.5"}, 0, "[203.0.113.2 203.0.113.5]", problem.None},
		{[]string{"203.0.113.1", "203.0.113.5"}, attemptDelay, "[203.0.113.1 203.0.113.5]", problem.None},
		{[]string{"203.0.113.1", "203.0.113.2", "203.0.113.5"}, attemptDelay, "[203.0.113.1 203.0.113.2 203.0.113.5]", problem.None},
		{[]string{"203.0.113.5", "203.0.113.6"}, 0, "[203.0.113.5]", problem.None},
		{[]string{"203.0.113.2", "198.51.100.2"}, 0, "[203.0.113.2 198.51.100.2]", problem.Connect},
		{[]string{"203.0.113.1"}, 5 * time.Second, "[203.0.113.1]", problem.Connect},
		{[]string{"203.0.113.1", "203.0.113.2"}, 5 * time.Second, "[203.0.113.1 203.0.113.2]", problem.Connect},
		{[]string{"10.0.0.5", "203.0.113.5"}, 0, "[203.0.113.5]", problem.None},
		{[]string{"10.0.0.5", "127.0.0.5"}, 0, "[]", problem.InternalAddress},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := new(network)
			d := dialer(t, n, tt.addrs...)
			start := time.Now()
			c, err := d.Tunnel(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443}, "")
			n.mu.Lock()
			if reason(err) != tt.want || time.Since(start) != tt.took || fmt.Sprint(n.tried) != tt.tried {
				t.Errorf("%v: %v after %v, tried %v", tt.addrs, err, time.Since(start), n.tried)
			}
			n.mu.Unlock()
			if err == nil {
				_ = c.Close()
			}
			synctest.Wait()
			if len(d.Loops.sockets.open) != 0 {
				t.Errorf("%v: %d sockets left open", tt.addrs, len(d.Loops.sockets.open))
			}
		})
	}
}

// TestParentAddressesInTurn: an address of the parent proxy is tried with its
// answer to CONNECT. What it answers decides.
func TestParentAddressesInTurn(t *testing.T) {
	const works, refuses, silent, ends, denies = "203.0.113.5", "203.0.113.2", "203.0.113.6", "203.0.113.7", "203.0.113.8"
	for _, tt := range []struct {
		addrs []string
		took  time.Duration
		tried string
		want  problem.Reason // None = works
	}{
		{[]string{works}, 0, "[203.0.113.5]", problem.None},
		{[]string{silent, works}, handshakeDelay, "[203.0.113.6 203.0.113.5]", problem.None},
		{[]string{silent, refuses, works}, handshakeDelay, "[203.0.113.6 203.0.113.2 203.0.113.5]", problem.None},
		{[]string{ends, works}, 0, "[203.0.113.7 203.0.113.5]", problem.None},
		{[]string{denies, works}, 0, "[203.0.113.8]", problem.ParentProxy},
		{[]string{silent, denies, works}, handshakeDelay, "[203.0.113.6 203.0.113.8]", problem.ParentProxy},
		{[]string{silent, silent}, 5 * time.Second, "[203.0.113.6 203.0.113.6]", problem.ParentProxy},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := new(network)
			n.accept = func(c net.Conn) {
				defer func() { _ = c.Close() }()
				_, _ = http.ReadRequest(bufio.NewReader(c))
				switch c.LocalAddr().(*net.TCPAddr).IP.String() {
				case works:
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
				case denies:
					_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
				case ends:
					return
				}
				_, _ = io.Copy(io.Discard, c)
			}
			d := dialer(t, n, tt.addrs...)
			var err error
			if d.Parent, err = NewParent(&url.URL{Scheme: "http", Host: "proxy.test:3128"}, ""); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			c, err := d.Tunnel(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443}, "")
			if reason(err) != tt.want || time.Since(start) != tt.took || fmt.Sprint(n.tried) != tt.tried {
				t.Errorf("%v: %v after %v, tried %v", tt.addrs, err, time.Since(start), n.tried)
			}
			if err == nil {
				_ = c.Close()
			}
			synctest.Wait()
			if len(d.Loops.sockets.open) != 0 {
				t.Errorf("%v: %d sockets left open", tt.addrs, len(d.Loops.sockets.open))
			}
		})
	}
}

// TestSlowAddresses: of two that answer at the same moment one is closed.
func TestSlowAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(network)
		d := dialer(t, n, "203.0.113.5", "203.0.113.6")
		d.Net = func(ctx context.Context, addr netip.AddrPort, judge func(netip.AddrPort) error) (net.Conn, error) {
			if addr.Addr().As4()[3] == 5 {
				time.Sleep(attemptDelay)
			}
			return n.dial(ctx, addr, judge)
		}
		c, err := d.Tunnel(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443}, "")
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if len(d.Loops.sockets.open) != 1 {
			t.Errorf("%d sockets open", len(d.Loops.sockets.open))
		}
		_ = c.Close()
	})
}

// TestEndOfDialling: a dial ends with its context, for that reason.
func TestEndOfDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err := dialer(t, new(network), "203.0.113.1").Tunnel(ctx, Target{Host: host.MustParse("a.test"), Port: 443}, "")
		if reason(err) != problem.Draining {
			t.Error(err)
		}
	})
}

// TestLastGuard: where the connection really leads is what counts.
func TestLastGuard(t *testing.T) {
	for addr, want := range map[string]problem.Reason{"10.0.0.5:443": problem.InternalAddress, "203.0.113.5:99": problem.Loop} {
		d := dialer(t, nil, "203.0.113.5")
		near, far := memnet.Pipe(&net.TCPAddr{}, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)))
		d.Net = func(context.Context, netip.AddrPort, func(netip.AddrPort) error) (net.Conn, error) { return near, nil }
		if _, err := d.Tunnel(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443}, ""); reason(err) != want {
			t.Errorf("%s: %v", addr, err)
		}
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the connection is left open: %v", addr, err)
		}
	}
}

// TestQuiet: on a real socket, session tickets do not matter to an idle
// connection, bytes and the end do.
func TestQuiet(t *testing.T) {
	t.Parallel()
	ca, err := certs.NewCA("root", certs.ECDSA)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(certs.Leaf{Names: []string{"a.test"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, last := range map[string]func(c *tls.Conn, raw *net.TCPConn){
		"close_notify": func(c *tls.Conn, _ *net.TCPConn) { _ = c.Close() },
		"FIN":          func(_ *tls.Conn, raw *net.TCPConn) { _ = raw.CloseWrite() },
		"reset":        func(_ *tls.Conn, raw *net.TCPConn) { _ = raw.SetLinger(0); _ = raw.Close() },
		"bytes":        func(c *tls.Conn, _ *net.TCPConn) { _, _ = c.Write([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			shaken, end, ended := make(chan error), make(chan struct{}), make(chan struct{})
			go func() {
				defer close(ended)
				raw, err := l.Accept()
				if err != nil {
					shaken <- err
					return
				}
				c := tls.Server(raw, &tls.Config{
					Certificates: []tls.Certificate{leaf},
					ClientAuth:   tls.RequestClientCert, // the tickets come after the client's last flight then
				})
				shaken <- c.Handshake()
				<-end
				last(c, raw.(*net.TCPConn))
				_, _ = io.Copy(io.Discard, raw)
				_ = raw.Close()
			}()
			d := dialer(t, nil)
			d.Net, d.Timeout, d.TLSTimeout = nil, time.Minute, time.Minute
			at := l.Addr().(*net.TCPAddr).AddrPort()
			conf := NewTLS(tls.VersionTLS12, ca.Pool(), nil, nil)
			target := Target{Host: host.OfAddr(at.Addr()), Port: at.Port(), ServerName: host.MustParse("a.test"), Exempt: true}
			connected := make(chan *Conn)
			go func() {
				c, err := d.Connect(t.Context(), target, "", conf, new(Hellos))
				if err != nil {
					t.Error(err)
				}
				connected <- c
			}()
			if err := <-shaken; err != nil {
				t.Error(err)
			}
			c := <-connected
			if c == nil {
				return
			}
			defer func() { c.Abort(); <-ended }()
			for range 1000 { // the tickets have been sent
				if !c.Reusable() || !c.Clean() {
					t.Fatal("not quiet")
				}
			}
			close(end)
			for c.Reusable() {
				time.Sleep(time.Millisecond)
			}
			if name != "bytes" && name != "close_notify" && c.Reader.Buffered() > 0 {
				t.Error("bytes from nowhere")
			}
		})
	}
}

// slowConn hides that a connection can be read without waiting, as on Windows.
type slowConn struct{ net.Conn }

func TestQuietWhereReadsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memnet.Pipe(&net.TCPAddr{}, &net.TCPAddr{})
		s := newSocket(slowConn{near}, new(Loops))
		c := newConn(s, s, nil)
		start := time.Now()
		if !c.Clean() || time.Since(start) != 0 {
			t.Error("not clean, or slow")
		}
		if !c.Reusable() || time.Since(start) > 2*pollWait {
			t.Error("not quiet, or slow")
		}
		c.SetDeadline(time.Now().Add(time.Second))
		_, _ = far.Write([]byte("x"))
		if c.Reusable() {
			t.Error("quiet")
		}
		c.Close()
	})
}

func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memnet.Pipe(&net.TCPAddr{}, &net.TCPAddr{})
		s := newSocket(near, new(Loops))
		c := newConn(s, s, nil)
		defer c.Close()
		first, cancel := context.WithCancel(t.Context())
		second := t.Context()
		if !c.Begin(first) || c.End() {
			t.Error("interrupted from the beginning")
		}
		if !c.Begin(second) {
			t.Error("does not begin")
		}
		cancel()
		synctest.Wait()
		if c.Interrupted() || c.End() {
			t.Error("interrupted by another exchange's context")
		}
		if c.Begin(first) {
			t.Error("begins under a context that has ended")
		}
		third, cancel := context.WithCancel(t.Context())
		if !c.Begin(third) {
			t.Error("does not begin")
		}
		time.AfterFunc(time.Second, cancel)
		c.SetDeadline(time.Now().Add(time.Hour))
		start := time.Now()
		if _, err := c.Reader.Peek(1); err == nil || time.Since(start) != time.Second {
			t.Error(err, time.Since(start))
		}
		c.SetDeadline(time.Now().Add(time.Hour)) // has no effect any more
		if _, err := c.Reader.Peek(1); err == nil || !c.End() {
			t.Error(err)
		}
		_ = far.Close()
	})
}

// TestStall: bytes are waited for while there is progress.
func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := memnet.Pipe(&net.TCPAddr{}, &net.TCPAddr{})
		s := newSocket(near, new(Loops))
		c := newConn(s, s, nil)
		defer c.Close()
		go func() {
			for range 10 {
				time.Sleep(900 * time.Millisecond)
				_, _ = far.Write([]byte("x"))
			}
		}()
		c.Stall = time.Second
		start := time.Now()
		if n, err := io.Copy(io.Discard, c.Reader); n != 10 || !timedOut(err) || time.Since(start) != 10*time.Second {
			t.Error(n, err, time.Since(start))
		}
		_ = far.Close()
	})
}
