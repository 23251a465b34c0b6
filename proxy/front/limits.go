package front

import "time"

// Limits bounds what clients may cost. A zero field means no limit.
type Limits struct {
	Connections          int           // open client connections
	ConnectionsPerClient int           // of one IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration // for the first bytes of a new connection
}

// unreserved returns how many connections may be open before a client that has its
// share is refused another. The last eighth is reserved for other clients.
func (l Limits) unreserved() int { return l.Connections - l.Connections/8 }

// Limits of the timeouts of a caller whose requests are all refused. The minimum is
// enough for a head that follows the handshake at once.
const (
	minRejectTimeout = 100 * time.Millisecond
	maxRejectTimeout = 2 * time.Second
)

// RejectTimeout returns the timeout of every wait for a caller whose requests are
// all refused, and 0 for any other caller.
func (c *Conn) RejectTimeout() time.Duration { return c.rejectTimeout }
