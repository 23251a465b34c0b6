package metrics

import (
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// Rewrite counts a change made to an answer, by kind (location,
// content_location, refresh, link, cookie, hsts, alt_svc, csp). Other words are
// not counted.
func (m *Metrics) Rewrite(kind string) {
	if i := rewrites.index(kind); i >= 0 {
		m.rewriteHandles[i].Inc()
	}
}

// Denied counts a request or connection that tlslift refused. Reasons that are
// not among problem.DeniedReasons are not counted.
func (m *Metrics) Denied(reason problem.Reason) {
	if int(reason) < len(m.deniedHandles) && m.deniedHandles[reason] != nil {
		m.deniedHandles[reason].Inc()
	}
}

// OpenConnection adds delta to the client connections open now: 1 when one
// begins to be handled so, -1 when it ends.
func (m *Metrics) OpenConnection(h call.Handling, delta int) {
	if int(h) < len(m.openHandles) {
		m.openHandles[h].Add(float64(delta))
	}
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

// Reload says whether loading the configuration succeeded, and when. New counts
// as a success: nothing is built from a configuration that did not load.
func (m *Metrics) Reload(ok bool, now time.Time) {
	if !ok {
		m.reloadOK.Set(0)
		return
	}
	m.reloadOK.Set(1)
	m.reloadSuccess.Set(float64(now.Unix()))
}
