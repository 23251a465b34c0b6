package metrics

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// DefaultLabelLimit is how many discovered clients have a label of their own
// unless Options says otherwise.
const DefaultLabelLimit = 100

// Options is what New is told. The zero value is valid.
type Options struct {
	Clients    []string         // configured client names: always kept, at 0 from the start
	Workload   string           // everything on this instance is this one client; "" = not a sidecar
	Upstreams  []string         // configured hosts and patterns, as the configuration writes them
	LabelLimit int              // discovered clients with a label of their own; 0 = DefaultLabelLimit, negative = none
	Clock      func() time.Time // nil = time.Now
	Version    string           // of this build
	Revision   string           // of this build
}

// Metrics is every metric of tlslift but those of the Go runtime and the
// process. Its methods may be called from any goroutine.
type Metrics struct {
	families
	clock func() time.Time
	limit int

	upstreams  atomic.Pointer[map[string]*upstream] // replaced, never changed; m.mu to replace
	nowhere    *handle                              // takes what a freed client still counts
	overflowed *Client                              // every client beyond the limit

	rewriteHandles []prometheus.Counter
	deniedHandles  []prometheus.Counter // by problem.Reason; nil where not a denial
	openHandles    []prometheus.Gauge   // by call.Handling

	mu         sync.RWMutex
	clients    map[string]*Client
	discovered int   // clients that are not configured
	swept      int64 // Unix seconds of the last sweep
}

// New builds the metrics and registers them with reg. It fails when a metric of
// one of their names is registered already.
func New(reg prometheus.Registerer, o Options) (*Metrics, error) {
	m := &Metrics{clock: o.Clock, clients: make(map[string]*Client)}
	if m.clock == nil {
		m.clock = time.Now
	}
	m.limit = effectiveLimit(o.LabelLimit)
	m.define()
	if err := m.register(reg); err != nil {
		return nil, err
	}
	m.nowhere = &handle{Counter: prometheus.NewCounter(prometheus.CounterOpts{Name: "nowhere"})}
	m.overflowed = &Client{m: m, name: OverflowClient, overflow: true}
	m.SetUpstreams(o.Upstreams)
	m.keepHandles()
	m.SetClients(o.Workload, o.Clients)
	m.trackedLimit.Set(float64(m.limit))
	m.buildInfo.WithLabelValues(clean(o.Version), clean(o.Revision), runtime.Version()).Set(1)
	m.Reload(true, m.clock())
	return m, nil
}

// keepHandles makes the series of the closed sets, at 0.
func (m *Metrics) keepHandles() {
	for _, kind := range rewrites {
		m.rewriteHandles = append(m.rewriteHandles, m.rewrites.WithLabelValues(kind))
	}
	for _, r := range problem.DeniedReasons {
		for len(m.deniedHandles) <= int(r) {
			m.deniedHandles = append(m.deniedHandles, nil)
		}
		m.deniedHandles[r] = m.denied.WithLabelValues(r.String())
	}
	m.openHandles = make([]prometheus.Gauge, len(call.Handlings))
	for _, h := range call.Handlings {
		m.openHandles[h] = m.open.WithLabelValues(h.String())
	}
}

// effectiveLimit reads Options.LabelLimit.
func effectiveLimit(n int) int {
	if n == 0 {
		return DefaultLabelLimit
	}
	return max(n, 0)
}
