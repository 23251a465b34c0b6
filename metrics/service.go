package metrics

import (
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
)

// Rewrite counts a change made to an answer.
func (m *Metrics) Rewrite(k rewrite.Kind) {
	if int(k) < len(m.rewritten) {
		m.rewritten[k].Inc()
	}
}

// Denied counts a request or connection that tlslift refused. Record calls it;
// so does what refuses connections that never have an outcome. Reasons that are
// not among problem.DeniedReasons are not counted.
func (m *Metrics) Denied(reason problem.Reason) {
	if c := m.denials[reason]; c != nil {
		c.Inc()
	}
}

// OpenConnection adds delta to the client connections open now: 1 when one
// begins to be handled so, -1 when it ends.
func (m *Metrics) OpenConnection(h call.Handling, delta int) {
	if int(h) < len(m.opened) {
		m.opened[h].Add(float64(delta))
	}
}

// SetLimits says how much there may be of each resource.
func (m *Metrics) SetLimits(l Limits) {
	for _, r := range Resources {
		m.limit.WithLabelValues(r.String()).Set(float64(l[r]))
	}
}

// ConfigHash says which configuration is in force. Only one goroutine may call
// it at a time.
func (m *Metrics) ConfigHash(hash string) {
	m.configHash.WithLabelValues(hash).Set(1)
	if m.hash != "" && m.hash != hash {
		m.configHash.DeleteLabelValues(m.hash)
	}
	m.hash = hash
}

// LeafMinted counts a leaf certificate signed by the local CA.
func (m *Metrics) LeafMinted() { m.leaves.Inc() }

// CANotAfter says when the signing CA expires; the zero time is no CA.
func (m *Metrics) CANotAfter(t time.Time) {
	if t.IsZero() {
		m.caNotAfter.Set(0)
		return
	}
	m.caNotAfter.Set(float64(t.Unix()))
}

// Reload says whether loading the configuration succeeded, at the start and
// later, and when.
func (m *Metrics) Reload(ok bool, now time.Time) {
	if !ok {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadSuccess.Set(float64(now.Unix()))
}
