package metrics

import (
	"net/http"
	"runtime"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/rewrite"
)

// Options configure Metrics.
type Options struct {
	Upstreams []string // configured hosts and patterns, as the configuration writes them
	Version   string   // of this build
	Revision  string   // of this build

	LogLinesLost func() uint64 // since the start
	Held         func() int64  // bytes held for callers now
}

// Metrics holds all metrics of tlslift except those of clients, which package
// ledger exports, and those of the Go runtime and the process. Its methods may be
// called from any goroutine.
type Metrics struct {
	families

	upstreams atomic.Pointer[map[string]*upstream] // replaced, never changed
	exemplar  atomic.Int64                         // Unix second of the last exemplar
	hash      string                               // of the configuration in force; "" = not set yet

	denials   [256]prometheus.Counter // by problem.Reason; nil = not a denial
	rewritten [len(rewrite.Kinds)]prometheus.Counter
	opened    [len(call.Handlings)]prometheus.Gauge
}

// New builds the metrics and registers them with reg. It fails if one of their
// names is already registered.
func New(reg prometheus.Registerer, o Options) (*Metrics, error) {
	m := &Metrics{families: define(o)}
	if err := m.register(reg); err != nil {
		return nil, err
	}
	m.SetUpstreams(o.Upstreams)
	for _, k := range rewrite.Kinds {
		m.rewritten[k] = m.rewrites.WithLabelValues(k.String())
	}
	for _, r := range problem.DeniedReasons {
		m.denials[r] = m.denied.WithLabelValues(r.String())
	}
	for _, h := range call.Handlings {
		m.opened[h] = m.open.WithLabelValues(h.String())
	}
	m.buildInfo.WithLabelValues(clean(o.Version), clean(o.Revision), runtime.Version()).Set(1)
	return m, nil
}

// Record counts one outcome. For a request these are its answer and duration; for
// tunnels too, what was refused and what the upstream failed. A refused CONNECT
// counts as a request, but has no duration, since it asked for a tunnel.
func (m *Metrics) Record(o *call.Outcome) {
	if o.Kind == call.Observed {
		return
	}
	m.Denied(o.Reason)
	up := m.upstream(o.Label)
	if o.Reason.Upstream() {
		delivery := o.Delivery
		if delivery != problem.NotSent {
			delivery = problem.Unknown
		}
		m.upstreamFailures.WithLabelValues(up.label, o.Reason.String(), delivery.String()).Inc()
	}
	if o.Kind != call.Request {
		return
	}
	m.response(up, o.Status, o.FromUpstream)
	if o.Method != http.MethodConnect {
		m.requestDuration(up, o)
	}
}
