package upstream

import "tlslift/proxy/upstream/pool"

// CloseIdle closes every idle connection.
func (t *Transport) CloseIdle() {
	for _, g := range t.Snapshot().groups {
		g.each((*pool.Pool).CloseIdle)
	}
}
