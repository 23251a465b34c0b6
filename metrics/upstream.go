package metrics

import (
	"crypto/tls"
	"maps"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
)

// upstream is one value of the label "upstream", with the series that each
// request counts in. Looking them up by label would cost ten times as much.
type upstream struct {
	label     string
	ours      bool // configured; false = one of the underscore words
	responses [2][maxStatus + 1]once[prometheus.Counter]
	durations [len(call.Ingresses) + 1]once[prometheus.Observer]
	phases    [len(call.Phases)]once[prometheus.Observer]
	pool      [2]once[prometheus.Gauge] // by index in poolStates
}

// once is a series that is created on its first use.
type once[T any] struct{ series atomic.Pointer[T] }

func (o *once[T]) get(find func() T) T {
	if s := o.series.Load(); s != nil {
		return *s
	}
	s := find()
	o.series.Store(&s)
	return s
}

const maxStatus = 599

// SetUpstreams adds configured upstreams: hosts or patterns as the configuration
// writes them. A label stays until the process ends, because counters must not
// vanish under in-flight requests. Only one goroutine may call it at a time.
func (m *Metrics) SetUpstreams(labels []string) {
	known := map[string]*upstream{
		call.LabelOther:  {label: call.LabelOther},
		call.LabelDenied: {label: call.LabelDenied},
	}
	if old := m.upstreams.Load(); old != nil {
		known = maps.Clone(*old)
	}
	for _, label := range labels {
		if label = clean(label); known[label] == nil {
			known[label] = &upstream{label: label, ours: true}
		}
	}
	m.upstreams.Store(&known)
}

// upstream returns the upstream with the label, or _other if it is not configured.
func (m *Metrics) upstream(label string) *upstream {
	known := *m.upstreams.Load()
	if up := known[label]; up != nil {
		return up
	}
	return known[call.LabelOther]
}

// response counts an answer. A status outside 100 to 599 counts as _other.
func (m *Metrics) response(up *upstream, status int, fromUpstream bool) {
	if status < 100 || status > maxStatus {
		status = 0
	}
	answers, origin := &up.responses[0], "tlslift"
	if fromUpstream {
		answers, origin = &up.responses[1], "upstream"
	}
	answers[status].get(func() prometheus.Counter {
		code := "_other"
		if status != 0 {
			code = strconv.Itoa(status)
		}
		return m.responses.WithLabelValues(up.label, code, origin)
	}).Inc()
}

// requestDuration observes how long a request took. Once a second, the request ID
// becomes the exemplar. It ignores requests without an ingress, and those for a
// host that is not ours.
func (m *Metrics) requestDuration(up *upstream, o *call.Outcome) {
	if !up.ours || !slices.Contains(call.Ingresses[:], o.Ingress) {
		return
	}
	series := up.durations[o.Ingress].get(func() prometheus.Observer {
		return m.duration.WithLabelValues(up.label, o.Ingress.String())
	})
	seconds, now := o.Duration().Seconds(), o.End.Unix()
	if last := m.exemplar.Load(); last != now && o.ID != "" && m.exemplar.CompareAndSwap(last, now) {
		if e, ok := series.(prometheus.ExemplarObserver); ok {
			e.ObserveWithExemplar(seconds, prometheus.Labels{"request_id": o.ID})
			return
		}
	}
	series.Observe(seconds)
}

// Phase observes one phase of an upstream exchange. It ignores upstreams that are
// not ours.
func (m *Metrics) Phase(upstream string, p call.Phase, d time.Duration) {
	up := m.upstream(upstream)
	if !up.ours {
		return
	}
	up.phases[p].get(func() prometheus.Observer {
		return m.phase.WithLabelValues(up.label, p.String())
	}).Observe(d.Seconds())
}

// Handshake counts a TLS handshake with an upstream. version and cipher are the
// numbers of the TLS wire format. Unknown suites count as _other.
func (m *Metrics) Handshake(upstream string, version, cipher uint16, resumed bool) {
	m.handshakes.WithLabelValues(m.upstream(upstream).label,
		call.VersionOf(version).String(), cipherWord(cipher), strconv.FormatBool(resumed)).Inc()
}

// cipherWord returns the suite's IANA name, or _other, because the peer chooses
// the number.
func cipherWord(id uint16) string {
	for _, suites := range [][]*tls.CipherSuite{tls.CipherSuites(), tls.InsecureCipherSuites()} {
		for _, s := range suites {
			if s.ID == id {
				return s.Name
			}
		}
	}
	return "_other"
}

// ClassicHello counts a handshake with an upstream that was retried with a small,
// classic ClientHello.
func (m *Metrics) ClassicHello(upstream string) {
	m.classicHellos.WithLabelValues(m.upstream(upstream).label).Inc()
}

// Pool sets how many connections to the upstream are idle and busy.
// Only configured upstreams have a pool.
func (m *Metrics) Pool(upstream string, idle, busy int) {
	up := m.upstream(upstream)
	if !up.ours {
		return
	}
	for i, n := range [...]int{idle, busy} {
		up.pool[i].get(func() prometheus.Gauge {
			return m.pool.WithLabelValues(up.label, poolStates[i])
		}).Set(float64(n))
	}
}

// Certificate sets when the certificate presented by the upstream expires.
func (m *Metrics) Certificate(upstream string, notAfter time.Time) {
	if up := m.upstream(upstream); up.ours && !notAfter.IsZero() {
		m.certificate.WithLabelValues(up.label).Set(float64(notAfter.Unix()))
	}
}
