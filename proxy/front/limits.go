package front

import "time"

// Limits bound what clients may cost. A zero field means no limit.
type Limits struct {
	Connections          int           // open client connections
	ConnectionsPerClient int           // of one IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration // the first bytes of a new connection
}

// unreserved is how many connections there may be, in number, before a client
// that has its share is refused another: the last eighth is for the others.
func (l Limits) unreserved() int { return l.Connections - l.Connections/8 }

// Every timeout of a caller whose every request is refused is between these. The
// lower one is enough for a head that follows the connection's handshake at once.
const (
	minRejectTimeout = 100 * time.Millisecond
	maxRejectTimeout = 2 * time.Second
)

// RejectTimeout is every timeout of a caller whose every request is refused; 0 for any
// other caller.
func (c *Conn) RejectTimeout() time.Duration { return c.rejectTimeout }
