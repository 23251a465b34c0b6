package ledger

import (
	"slices"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// labelLease is how long a discovered client keeps an unused label, in seconds.
const labelLease = int64(24 * time.Hour / time.Second)

// labelTable holds the rows that have a label. A label is a lease that traffic
// renews: it ends after 24 hours without any. An insecure client can take over
// the label of one that is not. Configured clients always have one.
type labelTable struct {
	rows       map[*row]struct{}
	unlabelled uint64   // observations counted under _overflow
	searched   [2]int64 // when a search last found none free, for a secure and an insecure client
}

// series is what a client's metrics have counted since it got its label.
type series struct {
	tallies
	since    int64 // Unix seconds
	exemplar exemplar

	// Only in the overflow row: the latest times of the clients counted there.
	lastInsecure, lastSecure int64
}

// exemplar identifies the newest insecure request.
type exemplar struct {
	key key
	id  string // request_id
	at  int64  // Unix seconds
}

// seriesOf returns the series that the client's traffic counts in. They are its
// own if it has a label or earns one now, and otherwise those of the overflow row.
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
// can. It searches at most once a second, so that clients without a label cost no
// more than others.
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

// labelled returns the number of discovered clients that have a label. Configured
// clients always have one and are not counted.
func (l *Ledger) labelled() int { return len(l.labels.rows) - len(l.policy.clients) }

// longestUnused returns the discovered client that is not insecure and whose
// label has been unused for longest, or nil if there is none.
func (l *Ledger) longestUnused(now int64) (found *row) {
	for r := range l.labels.rows {
		if !r.configured && !r.insecureAt(now, l.policy.MigratedAfter) && (found == nil || r.used < found.used) {
			found = r
		}
	}
	return found
}

// endLeases takes back the labels of discovered clients whose lease has ended.
func (l *Ledger) endLeases(now int64) {
	for r := range l.labels.rows {
		if !r.configured && now-r.used >= labelLease {
			l.endLabel(r)
		}
	}
}

// giveLabel gives a row its own series if it has none.
func (l *Ledger) giveLabel(r *row, now int64) {
	if r.series != nil {
		return
	}
	r.series = &series{since: now}
	l.labels.rows[r] = struct{}{}
}

// endLabel drops a discovered client's series, as the end of a process would. If
// the client returns, they start again at 0. A visitor's row is dropped with them.
func (l *Ledger) endLabel(r *row) {
	r.series = nil
	delete(l.labels.rows, r)
	if !r.known() {
		delete(l.rows, r.name)
	}
}

// begin creates the series that a configured client shows before it was ever
// seen: upgrades from plaintext, which every client still to migrate is expected
// to need. The client of a sidecar gets all upgrades. They tell whether the
// sidecar can be removed, so they must always have existed.
func (s *series) begin(workload bool) {
	s.at(key{seriesUpgrades, uint8(call.VersionNone), 0, 0})
	for _, v := range call.Versions {
		if workload && v != call.VersionSSL3 {
			s.at(key{seriesUpgrades, uint8(v), 0, 0})
		}
	}
}

// upstream returns the index of a label in l.upstreams, or 0 if it is unknown.
func (l *Ledger) upstream(label string) uint8 { return uint8(max(slices.Index(l.upstreams, label), 0)) }

func (s *series) request(o *call.Outcome, upstream uint8, now int64) {
	k := key{seriesRequests, upstream, uint8(o.Version), 0}
	s.count(k)
	if o.Upgraded && o.Version != call.VersionSSL3 { // SSL 3.0 is never served
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
	// Without an ingress, the connection ended before it showed a way in.
	if c.Ingress != call.Unknown && (!c.NoCall || c.Handling == call.Refused || c.Handling == call.Tunnelled) {
		s.count(key{seriesConnections, uint8(c.Ingress), uint8(c.Version), uint8(c.Handling)})
	}
}

// overWords are the values of the label "over": how an exposed secret was sent.
var overWords = [...]string{"clear", "old_tls"}

func bit(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
