package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/problem"
)

// Whoever accepts one of our connections and has read a byte of it can tell
// that it is ours.
func TestOwnSocket(t *testing.T) {
	t.Parallel()
	seen := make(chan bool, 8)
	var tr *Transport
	ready := make(chan struct{})
	s := newServer(t, func(c *serverConn) {
		if _, ok := c.request(); ok {
			<-ready
			seen <- tr.OwnSocket(addrPort(c.RemoteAddr()), addrPort(c.LocalAddr()))
			c.say(okAnswer)
		}
	}, noTLS)
	tr = start(t, s)
	close(ready)
	wantOK(t, tr, foreign(t, tr, s.addr, false))
	if !<-seen {
		t.Error("our own socket is not known")
	}
	c, err := tr.DialTunnel(t.Context(), foreign(t, tr, s.addr, false), &Exchange{})
	check(t, err)
	local := addrPort(c.LocalAddr())
	mapped := netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), local.Port())
	remote := addrPort(c.RemoteAddr())
	if !tr.OwnSocket(local, remote) || !tr.OwnSocket(mapped, remote) {
		t.Error("the tunnel's socket is not known")
	}
	if tr.OwnSocket(local, netip.AddrPortFrom(remote.Addr(), remote.Port()+1)) {
		t.Error("the same port towards somebody else is taken for ours")
	}
	_ = c.Close()
	_ = c.Close()
	if tr.OwnSocket(local, remote) {
		t.Error("still known after Close")
	}
	tr.Close()
	if n := len(tr.sockets.open); n != 0 {
		t.Errorf("%d sockets left", n)
	}
}

func TestOwnHello(t *testing.T) {
	t.Parallel()
	var tr *Transport
	ready := make(chan struct{})
	seen := make(chan bool, 8)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = l.Close() }()
	done := make(chan [32]byte, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		b := make([]byte, 43)
		if _, err := io.ReadFull(c, b); err != nil {
			return
		}
		random, ok := helloRandom(b)
		<-ready
		seen <- ok && tr.OwnHello(random)
		done <- random
	}()
	s := newServer(t, answerAll)
	h := s.host().at(l.Addr().String())
	tr = start(t, s, func(o *Options) { o.Hosts, o.TLSTimeout = []Host{h}, 300*time.Millisecond })
	close(ready)
	_, _, _, err = send(tr, route(t, tr, testHost), "GET", "/", "")
	var e *Error
	if !errors.As(err, &e) || e.Reason == problem.None {
		t.Error(err)
	}
	if !<-seen {
		t.Error("our own hello is not known while it is under way")
	}
	random := <-done
	if tr.OwnHello(random) {
		t.Error("still known afterwards")
	}
	release, second := tr.RegisterHello(random), tr.RegisterHello(random)
	release()
	release()
	if !tr.OwnHello(random) {
		t.Error("released by somebody else")
	}
	second()
	if tr.OwnHello(random) || len(tr.hellos.open) != 0 {
		t.Error("not released")
	}
}

func TestHelloRandom(t *testing.T) {
	t.Parallel()
	var hello []byte
	client := tls.Client(&canned{in: strings.NewReader(""), out: &hello}, &tls.Config{ServerName: "x.test", MinVersion: tls.VersionTLS12})
	_ = client.HandshakeContext(context.Background())
	random, ok := helloRandom(hello)
	if !ok || random == [32]byte{} || string(random[:]) != string(hello[11:43]) {
		t.Error("not found")
	}
	for _, b := range [][]byte{nil, hello[:42], append([]byte{23}, hello[1:]...), []byte("GET / HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n")} {
		if _, ok := helloRandom(b); ok {
			t.Errorf("found in %q", b)
		}
	}
}
