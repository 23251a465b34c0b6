package admin

import (
	"cmp"
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

	mu   sync.Mutex
	open []limitedConn // by when they entered their state, the newest last
}

// limitedConn is one open connection.
type limitedConn struct {
	net.Conn
	peer  netip.Prefix
	state http.ConnState
}

func newConnLimiter(ln net.Listener, most int) *connLimiter {
	return &connLimiter{Listener: ln, most: most}
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
	c.open = append(c.open, limitedConn{conn, peerOf(conn.RemoteAddr().String()), http.StateNew})
	if len(c.open) <= c.most {
		return nil
	}
	return c.remove(c.victim()).Conn
}

// victim returns the most dispensable connection of the peer that has the most:
// an idle one, else one that has not sent a request yet, else the one that has
// been answered for longest. It spares the newest. The caller holds c.mu.
func (c *connLimiter) victim() net.Conn {
	share := make(map[netip.Prefix]int)
	for _, v := range c.open {
		share[v.peer]++
	}
	rank := map[http.ConnState]int{http.StateIdle: 0, http.StateNew: 1, http.StateActive: 2}
	return slices.MinFunc(c.open[:len(c.open)-1], func(v, w limitedConn) int {
		return cmp.Or(share[w.peer]-share[v.peer], rank[v.state]-rank[w.state])
	}).Conn
}

// remove takes a connection out of the list; the zero value was not in it.
func (c *connLimiter) remove(conn net.Conn) (v limitedConn) {
	if i := slices.IndexFunc(c.open, func(v limitedConn) bool { return v.Conn == conn }); i >= 0 {
		v = c.open[i]
		c.open = slices.Delete(c.open, i, i+1)
	}
	return v
}

// changed is the server's ConnState hook. A connection that was closed to make
// room is not in the list any more.
func (c *connLimiter) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v := c.remove(conn)
	if v.state = state; v.Conn != nil && state != http.StateClosed && state != http.StateHijacked {
		c.open = append(c.open, v)
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
