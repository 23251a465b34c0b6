package metrics

import (
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
)

// Rewrite counts one change to an answer.
func (m *Metrics) Rewrite(k rewrite.Kind) {
	if int(k) < len(m.rewritten) {
		m.rewritten[k].Inc()
	}
}

// Denied counts a request or connection that tlslift refused. Record calls it.
// Code that refuses connections that never have an outcome calls it too. It
// ignores reasons that are not in problem.DeniedReasons.
func (m *Metrics) Denied(reason problem.Reason) {
	if c := m.denials[reason]; c != nil {
		c.Inc()
	}
}

// OpenConnection adds delta to the number of open client connections with a
// handling: 1 when that handling begins, -1 when the connection ends.
func (m *Metrics) OpenConnection(h call.Handling, delta int) {
	if int(h) < len(m.opened) {
		m.opened[h].Add(float64(delta))
	}
}

// SetLimits sets the limit of each resource.
func (m *Metrics) SetLimits(l Limits) {
	for _, r := range Resources {
		m.limit.WithLabelValues(r.String()).Set(float64(l[r]))
	}
}

// ConfigHash sets which configuration is in force. Only one goroutine may
// call it at a time.
func (m *Metrics) ConfigHash(hash string) {
	m.configHash.WithLabelValues(hash).Set(1)
	if m.hash != "" && m.hash != hash {
		m.configHash.DeleteLabelValues(m.hash)
	}
	m.hash = hash
}

// LeafMinted counts a leaf certificate signed by the local CA.
func (m *Metrics) LeafMinted() { m.leaves.Inc() }

// CANotAfter sets when the signing CA expires; the zero time means no CA.
func (m *Metrics) CANotAfter(t time.Time) {
	if t.IsZero() {
		m.caNotAfter.Set(0)
		return
	}
	m.caNotAfter.Set(float64(t.Unix()))
}

// Reload records whether loading the configuration succeeded, at startup or
// later, and when.
func (m *Metrics) Reload(ok bool, now time.Time) {
	if !ok {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadSuccess.Set(float64(now.Unix()))
}
