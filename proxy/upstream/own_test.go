package upstream

import (
	"io"
	"net"
	"net/netip"
	"testing"

	"tlslift/proxy/problem"
)

// A listener that accepts one of our connections and has read a byte of it can
// tell that it is ours.
func TestOwnSocket(t *testing.T) {
	t.Parallel()
	seen := make(chan bool, 8)
	var tr *Transport
	ready := make(chan struct{})
	s := newServer(t, func(c *serverConn) {
		if _, ok := c.request(); ok {
			<-ready
			seen <- tr.OwnSocket(tcpAddr(c.RemoteAddr()), tcpAddr(c.LocalAddr()))
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
	local := tcpAddr(c.LocalAddr())
	mapped := netip.AddrPortFrom(netip.AddrFrom16(local.Addr().As16()), local.Port())
	remote := tcpAddr(c.RemoteAddr())
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
}

func TestOwnHello(t *testing.T) {
	t.Parallel()
	var tr *Transport
	ready := make(chan struct{})
	seen := make(chan [32]byte, 8)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var b [43]byte // record and handshake headers, version, random
			if _, err := io.ReadFull(c, b[:]); err == nil {
				<-ready
				random := [32]byte(b[11:])
				if tr.OwnHello(random) {
					seen <- random
				}
			}
			_ = c.Close()
		}
	}()
	s := newServer(t, answerAll)
	tr = start(t, s, func(o *Options) { o.Hosts = []Host{s.host().at(l.Addr().String())} })
	close(ready)
	wantError(t, tr, route(t, tr, testHost), problem.Loop)
	random := <-seen
	if tr.OwnHello(random) {
		t.Error("still known afterwards")
	}
	release, second := tr.RegisterHello(random), tr.RegisterHello(random)
	release()
	if release() {
		t.Error("came back before it was seen")
	}
	if !tr.OwnHello(random) {
		t.Error("released by another")
	}
	if !second() {
		t.Error("did not come back")
	}
	if tr.OwnHello(random) {
		t.Error("not released")
	}
}

func tcpAddr(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }
