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

// connLimiter tracks the open connections of one listener. It never stops
// accepting: if there are too many, the peer with the most connections loses one.
// So a probe is answered no matter how many connections another peer holds open.
type connLimiter struct {
	net.Listener
	most int

	mu    sync.Mutex
	open  map[net.Conn]*limitedConn
	moves uint64 // state changes so far, to order them by age
}

// limitedConn is one open connection.
type limitedConn struct {
	peer  netip.Prefix
	state http.ConnState
	since uint64 // connLimiter.moves when it entered this state
}

func newConnLimiter(ln net.Listener, most int) *connLimiter {
	return &connLimiter{Listener: ln, most: most, open: make(map[net.Conn]*limitedConn)}
}

// sendBuffer is how much of an unread answer the kernel may hold, in bytes; that
// counts against a memory limit too. Linux doubles it.
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
		_ = tcp.SetWriteBuffer(sendBuffer) // if the connection is gone, reading it fails
	}
	return conn, nil
}

// admit adds a connection and returns the one to close in exchange, or nil if
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

// victim returns the most dispensable connection of the peer that has the most:
// an idle one, else one that has not sent a request yet, else the one that has
// been answered for longest. It spares the newest. The caller holds c.mu.
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
	case v == nil: // it was closed to make room
	case state == http.StateClosed, state == http.StateHijacked:
		delete(c.open, conn)
	default:
		c.moves++
		v.state, v.since = state, c.moves
	}
}

// peerOf returns what an address counts as: an IPv4 address, or the /64 of an
// IPv6 address. The zero Prefix is an unknown peer.
func peerOf(address string) netip.Prefix {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	return host.Network(ap.Addr())
}
