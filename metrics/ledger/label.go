package ledger

import (
	"slices"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// labelLease is how long a discovered client keeps its label unused.
const labelLease = int64(24 * time.Hour / time.Second)

// labelTable says which rows have a label. A label is a lease that traffic
// earns: it ends after 24 hours without any, and a client that is insecure
// takes the place of one that is not. Configured clients always have one.
type labelTable struct {
	rows       map[*row]struct{}
	unlabelled uint64   // observations counted under _overflow
	searched   [2]int64 // when a free one was last looked for in vain, for a client that is secure or insecure
}

// series is what a client's metrics count, from the time when it got its label.
type series struct {
	tallies
	since    int64 // Unix seconds
	exemplar exemplar

	// Of the overflow row alone: the newest times of the clients counted here.
	lastInsecure, lastSecure int64
}

// exemplar is the newest insecure request.
type exemplar struct {
	key key
	id  string // request_id
	at  int64  // Unix seconds
}

// seriesOf returns what the client's traffic counts in: its own series, if it
// has a label or earns one now, else those of the overflow row.
func (l *Ledger) seriesOf(r *row, now int64) *series {
	if r.series == nil && l.labelFree(r.insecureAt(now, l.policy.MigratedAfter), now) {
		l.giveLabel(r, now)
	}
	r.used = now
	if r.series != nil && r != &l.overflow {
		return r.series
	}
	l.labels.unlabelled++
	s := l.overflow.series
	s.lastInsecure, s.lastSecure = max(s.lastInsecure, r.lastInsecure), max(s.lastSecure, r.lastSecure)
	return s
}

// labelFree reports whether a label is free for a client, and frees one if it
// can. It searches once a second at most, so that clients without a label cost
// no more than others.
func (l *Ledger) labelFree(insecure bool, now int64) bool {
	searched := &l.labels.searched[bit(insecure)]
	switch {
	case l.labelled() < l.policy.LabelLimit:
		return true
	case l.policy.LabelLimit <= 0 || *searched == now:
		return false
	}
	l.endLeases(now)
	if insecure && l.labelled() == l.policy.LabelLimit {
		if r := l.longestUnused(now); r != nil {
			l.endLabel(r)
		}
	}
	if l.labelled() < l.policy.LabelLimit {
		return true
	}
	*searched = now
	return false
}

// labelled is how many discovered clients have a label: all rows that have one but
// those of the configured clients, which always do.
func (l *Ledger) labelled() int { return len(l.labels.rows) - len(l.policy.clients) }

// longestUnused is the discovered client that is not insecure and whose label
// was unused for longest; nil if there is none.
func (l *Ledger) longestUnused(now int64) (found *row) {
	for r := range l.labels.rows {
		if !r.configured && !r.insecureAt(now, l.policy.MigratedAfter) && (found == nil || r.used < found.used) {
			found = r
		}
	}
	return found
}

// endLeases takes the labels of discovered clients that are gone.
func (l *Ledger) endLeases(now int64) {
	for r := range l.labels.rows {
		if !r.configured && now-r.used >= labelLease {
			l.endLabel(r)
		}
	}
}

// giveLabel gives a row series of its own, unless it has them.
func (l *Ledger) giveLabel(r *row, now int64) {
	if r.series != nil {
		return
	}
	r.series = &series{since: now}
	l.labels.rows[r] = struct{}{}
}

// endLabel takes a discovered client's series, as a process that ends would. If
// the client comes back, they begin at 0. A visitor's row goes with them.
func (l *Ledger) endLabel(r *row) {
	r.series = nil
	delete(l.labels.rows, r)
	if !r.known() {
		delete(l.rows, r.name)
	}
}

// begin makes what a configured client shows before it was ever seen: the
// upgrade from plaintext, which every client still to migrate is expected to
// need. The client of a sidecar has all upgrades: whether the sidecar can go is
// read from series that always existed.
func (s *series) begin(workload bool) {
	s.at(key{seriesUpgrades, uint8(call.VersionNone), 0, 0})
	for _, v := range call.Versions {
		if workload && v != call.VersionSSL3 {
			s.at(key{seriesUpgrades, uint8(v), 0, 0})
		}
	}
}

// upstream is the place of a label in l.upstreams.
func (l *Ledger) upstream(label string) uint8 { return uint8(max(slices.Index(l.upstreams, label), 0)) }

func (s *series) request(o *call.Outcome, upstream uint8, now int64) {
	k := key{seriesRequests, upstream, uint8(o.Version), 0}
	s.count(k)
	if o.Upgraded && o.Version != call.VersionSSL3 { // which is never served
		s.count(key{seriesUpgrades, uint8(o.Version), 0, 0})
	}
	if !o.Insecure() {
		return
	}
	s.exemplar = exemplar{k, o.ID, now}
	if o.Exposed == 0 {
		return
	}
	for _, kind := range redact.AllKinds {
		if o.Exposed.Has(kind) {
			s.count(key{seriesExposed, uint8(kind), bit(o.Version != call.VersionNone), 0})
		}
	}
}

func (s *series) observe(c *call.Observation) {
	if h := c.Hello; h != nil && c.FormerName == "" {
		s.count(key{seriesHellos, uint8(h.Max), bit(h.SSLv2), bit(h.SNI)})
	}
	if c.Failure != call.HandshakeOK {
		s.count(key{seriesFailures, uint8(c.Failure), 0, 0})
	}
	// Else it ended before it showed a way in.
	if c.Ingress != call.Unknown && (!c.NoCall || c.Handling == call.Refused || c.Handling == call.Tunnelled) {
		s.count(key{seriesConnections, uint8(c.Ingress), uint8(c.Version), uint8(c.Handling)})
	}
}

// overWords are the values of the label "over": whether a secret came in clear.
var overWords = [...]string{"clear", "old_tls"}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
