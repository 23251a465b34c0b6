package front

import "time"

// Limits bound what clients may cost. A zero field means no limit.
type Limits struct {
	Connections          int           // open client connections
	ConnectionsPerClient int           // of one IPv4 address or IPv6 /64
	HeaderTimeout        time.Duration // the first bytes of a new connection
}

// hurry is every timeout of a caller whose every request is refused.
const hurry = 2 * time.Second

// Hurry is every timeout of a caller whose every request is refused.
func (c *Conn) Hurry() time.Duration { return hurry }
