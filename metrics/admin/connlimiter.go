package admin

import (
	"cmp"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"tlslift/proxy/host"
)

// connLimiter is the open connections of one listener. It never stops accepting: when
// there are too many, the peer that has the most of them loses one. A probe is
// answered no matter how many connections another peer holds open.
type connLimiter struct {
	net.Listener
	most int

	mu    sync.Mutex
	open  map[net.Conn]*limitedConn
	moves uint64 // changes of state so far: tells older from newer
}

// limitedConn is one open connection.
type limitedConn struct {
	peer  netip.Prefix
	state http.ConnState
	since uint64 // connLimiter.moves when it came to this state
}

func newConnLimiter(ln net.Listener, most int) *connLimiter {
	return &connLimiter{Listener: ln, most: most, open: make(map[net.Conn]*limitedConn)}
}

// sendBuffer is what the kernel may hold of an answer that is not read, in
// bytes: it counts against a memory limit too. Linux doubles it.
const sendBuffer = 32 << 10

// Accept implements net.Listener.
func (c *connLimiter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http tries again after an error that is a net.Error itself
	}
	if victim := c.admit(conn); victim != nil {
		victim.Close()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // a connection that is gone shows when it is read
	}
	return conn, nil
}

// admit notes a connection and returns the one that has to go for it; nil =
// there is room.
func (c *connLimiter) admit(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	var victim net.Conn
	c.moves++
	c.open[conn] = &limitedConn{peer: peerOf(conn.RemoteAddr().String()), state: http.StateNew, since: c.moves}
	if len(c.open) > c.most {
		victim = c.victim(conn)
		delete(c.open, victim)
	}
	return victim
}

// victim is the connection that can best be done without, of those of the peer
// that has the most: an idle one, else one that has not asked yet, else the one
// that is being answered for longest. The newest is spared. c.mu is held.
func (c *connLimiter) victim(newest net.Conn) net.Conn {
	share := make(map[netip.Prefix]int)
	for _, v := range c.open {
		share[v.peer]++
	}
	rank := map[http.ConnState]int{http.StateIdle: 0, http.StateNew: 1, http.StateActive: 2}
	others := slices.DeleteFunc(slices.Collect(maps.Keys(c.open)), func(conn net.Conn) bool { return conn == newest })
	return slices.MinFunc(others, func(a, b net.Conn) int {
		v, w := c.open[a], c.open[b]
		return cmp.Or(share[w.peer]-share[v.peer], rank[v.state]-rank[w.state], cmp.Compare(v.since, w.since))
	})
}

// changed is the server's ConnState hook.
func (c *connLimiter) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.open[conn]
	switch {
	case v == nil: // it had to go
	case state == http.StateClosed, state == http.StateHijacked:
		delete(c.open, conn)
	default:
		c.moves++
		v.state, v.since = state, c.moves
	}
}

// peerOf is who an address counts as: an IPv4 address, or the /64 of an IPv6
// address. The zero Prefix is an unknown peer.
func peerOf(address string) netip.Prefix {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	return host.Network(ap.Addr())
}
