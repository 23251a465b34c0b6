package metrics

import (
	"crypto/tls"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// upstream is one value of the label "upstream" and its handles.
type upstream struct {
	label     string
	ours      bool // configured; else one of the underscore words
	series    handles
	durations [len(call.Ingresses) + 1]atomic.Pointer[observer]
	phases    [4]atomic.Pointer[observer] // by place in phases
	pool      [2]atomic.Pointer[gaugeRef] // by place in poolStates
}

// observer is one histogram, and the second in which it last got an exemplar.
type observer struct {
	prometheus.Observer
	exemplar atomic.Int64
}

type gaugeRef struct{ prometheus.Gauge }

// SetUpstreams adds configured upstreams: hosts or patterns as the configuration
// writes them. Labels once configured stay until the process ends, since
// counters must not vanish under requests in flight.
func (m *Metrics) SetUpstreams(labels []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := make(map[string]*upstream)
	if old := m.upstreams.Load(); old != nil {
		maps.Copy(known, *old)
	}
	for _, label := range labels {
		if label = clean(label); known[label] == nil {
			known[label] = &upstream{label: label, ours: true}
		}
	}
	for _, label := range []string{OtherUpstream, DeniedUpstream} {
		if known[label] == nil {
			known[label] = &upstream{label: label}
		}
	}
	m.upstreams.Store(&known)
}

// upstream returns the upstream with that label; what is not configured is _other.
func (m *Metrics) upstream(label string) *upstream {
	known := *m.upstreams.Load()
	if up := known[label]; up != nil {
		return up
	}
	return known[OtherUpstream]
}

func (m *Metrics) upstreamCounter(up *upstream, k key) *handle {
	if h := up.series.get(k); h != nil {
		return h
	}
	up.series.mu.Lock()
	defer up.series.mu.Unlock()
	if h := up.series.get(k); h != nil {
		return h
	}
	h := &handle{Counter: m.newUpstreamCounter(up.label, k)}
	up.series.put(k, h)
	return h
}

func (f *families) newUpstreamCounter(label string, k key) prometheus.Counter {
	switch k.family {
	case famResponses:
		return f.responses.WithLabelValues(label, codeWord(k.n), origins[k.a])
	case famHandshakes:
		return f.handshakes.WithLabelValues(label, call.Version(k.a).String(), cipherWord(k.n), trueFalse(k.b != 0))
	default:
		return f.upstreamFailures.WithLabelValues(label, problem.Reason(k.a).String(), problem.Delivery(k.b).String())
	}
}

func codeWord(code uint16) string {
	if code == 0 {
		return "_other"
	}
	return strconv.Itoa(int(code))
}

// cipherWord is the suite's IANA name, or _other: the peer chooses the number.
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

// Response counts an answer: the upstream's label, the status code and who
// wrote it ("upstream" or "tlslift"). Codes outside 100 to 599 count as _other.
func (m *Metrics) Response(upstream string, code int, origin string) {
	if code < 100 || code > 599 {
		code = 0
	}
	o := max(origins.index(origin), 0)
	m.upstreamCounter(m.upstream(upstream), key{family: famResponses, n: uint16(code), a: uint8(o)}).Inc()
}

// RequestDuration observes how long a request took, in seconds, from its head
// to the end of its answer. requestID becomes the exemplar, at most once a
// second; "" is none. Requests without a way in, and those for nobody of ours,
// are not observed.
func (m *Metrics) RequestDuration(upstream string, in call.Ingress, seconds float64, requestID string) {
	up := m.upstream(upstream)
	if !up.ours || in == call.Unknown || int(in) >= len(up.durations) {
		return
	}
	o := up.durations[in].Load()
	if o == nil {
		o = keepObserver(&up.durations[in], m.duration, up.label, in.String())
	}
	o.observe(seconds, requestID, m.now())
}

func keepObserver(place *atomic.Pointer[observer], v *prometheus.HistogramVec, labels ...string) *observer {
	place.CompareAndSwap(nil, &observer{Observer: v.WithLabelValues(labels...)})
	return place.Load()
}

func (o *observer) observe(v float64, id string, now int64) {
	last := o.exemplar.Load()
	if last == now || !validExemplar(id) || !o.exemplar.CompareAndSwap(last, now) {
		o.Observe(v)
		return
	}
	if e, ok := o.Observer.(prometheus.ExemplarObserver); ok {
		e.ObserveWithExemplar(v, exemplarOf(id))
		return
	}
	o.Observe(v)
}

// UpstreamPhase observes one phase of an upstream exchange: dns, connect, tls
// or first_byte. Other words, and what is not ours, are not observed.
func (m *Metrics) UpstreamPhase(upstream, phase string, d time.Duration) {
	i := phases.index(phase)
	if i < 0 {
		return
	}
	up := m.upstream(upstream)
	if !up.ours {
		return
	}
	o := up.phases[i].Load()
	if o == nil {
		o = keepObserver(&up.phases[i], m.phase, up.label, phases[i])
	}
	o.Observe(d.Seconds())
}

// UpstreamHandshake counts a TLS handshake with an upstream. version and cipher
// are the numbers of the TLS wire format; unknown suites count as _other.
func (m *Metrics) UpstreamHandshake(upstream string, version, cipher uint16, resumed bool) {
	v := call.VersionOf(version)
	m.upstreamCounter(m.upstream(upstream), key{family: famHandshakes, n: cipher, a: uint8(v), b: bit(resumed)}).Inc()
}

// UpstreamFailure counts a request that an upstream failed. Only the reasons of
// the upstream side count here; a delivery that is not known to be NotSent
// counts as Unknown.
func (m *Metrics) UpstreamFailure(upstream string, reason problem.Reason, delivery problem.Delivery) {
	if !reason.Upstream() {
		return
	}
	if delivery != problem.NotSent {
		delivery = problem.Unknown
	}
	m.upstreamCounter(m.upstream(upstream), key{family: famUpstreamFailures, a: uint8(reason), b: uint8(delivery)}).Inc()
}

// UpstreamPool sets how many connections to the upstream are idle and busy.
// Only configured upstreams have a pool.
func (m *Metrics) UpstreamPool(upstream string, idle, busy int) {
	up := m.upstream(upstream)
	if !up.ours {
		return
	}
	for i, n := range [...]int{idle, busy} {
		g := up.pool[i].Load()
		if g == nil {
			up.pool[i].CompareAndSwap(nil, &gaugeRef{m.pool.WithLabelValues(up.label, poolStates[i])})
			g = up.pool[i].Load()
		}
		g.Set(float64(n))
	}
}

// UpstreamCertificate says when the certificate that the upstream presented
// expires.
func (m *Metrics) UpstreamCertificate(upstream string, notAfter time.Time) {
	if up := m.upstream(upstream); up.ours && !notAfter.IsZero() {
		m.certificate.WithLabelValues(up.label).Set(float64(notAfter.Unix()))
	}
}
