package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
)

const (
	// unseenFor is how long a discovered client keeps its label unused.
	unseenFor = int64(24 * time.Hour / time.Second)
	// sweepEvery is how often, in seconds, a full table is searched for labels to free.
	sweepEvery = 60
)

// Client returns the handles of the client with that name. source is the rung
// of the identity ladder that named it, the label identity_source.
//
// Configured names always have a label of their own. A discovered one gets a
// label while there are free ones and keeps it until it was unseen for 24 h:
// no client is evicted for a newer one, whatever it does. All others share
// _overflow, and each call that ends there is counted.
func (m *Metrics) Client(name, source string) *Client {
	name = clean(name)
	now := m.now()
	m.mu.RLock()
	c := m.clients[name]
	if c != nil {
		c.active.Store(now)
	}
	m.mu.RUnlock()
	if c != nil {
		return c
	}
	return m.discover(name, source, now)
}

func (m *Metrics) discover(name, source string, now int64) *Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.clients[name]; c != nil {
		c.active.Store(now)
		return c
	}
	if m.discovered >= m.limit && now-m.swept >= sweepEvery {
		m.sweep(now)
	}
	if m.discovered >= m.limit || name == "" || name == OverflowClient {
		m.overflow.Inc()
		return m.overflowed
	}
	c := &Client{m: m, name: name, source: source}
	c.active.Store(now)
	m.clients[name] = c
	m.discovered++
	m.tracked.Set(float64(m.discovered))
	return c
}

// SetLabelLimit changes how many discovered clients have a label of their own,
// as Options.LabelLimit does. Those that have one keep it.
func (m *Metrics) SetLabelLimit(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.limit = effectiveLimit(n)
	m.trackedLimit.Set(float64(m.limit))
}

// SetClients replaces the configured names: the workload of a sidecar, "" for
// none, and the names of clients. New ones exist at 0 at once. Names that are no
// longer configured keep their series as discovered clients do, but nothing that
// only a configuration can say.
func (m *Metrics) SetClients(workload string, names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var before []*Client
	for _, c := range m.clients {
		if c.named {
			before = append(before, c)
		}
		c.named = false
	}
	if workload != "" {
		m.name(clean(workload), "workload").createClosedSets()
	}
	for _, name := range names {
		m.name(clean(name), "name")
	}
	for _, c := range before {
		if !c.named {
			c.unconfigure()
		}
	}
	m.discovered = 0
	for _, c := range m.clients {
		if !c.named {
			m.discovered++
		}
	}
	m.tracked.Set(float64(m.discovered))
}

// name makes the client a configured one. The caller holds m.mu.
func (m *Metrics) name(name, source string) *Client {
	c := m.clients[name]
	if c == nil {
		c = &Client{m: m, name: name, source: source}
		c.active.Store(m.now())
		m.clients[name] = c
	}
	c.named = true
	c.createAtZero()
	return c
}

// createAtZero makes what a configured client has before it was ever seen: its
// timestamps, and the upgrade from plaintext, the one that every client still
// to migrate is expected to need. The rest of its series are products.
func (c *Client) createAtZero() {
	for t := range numClientTimes {
		c.setTime(t, c.times[t].Load())
	}
	c.counter(key{family: famUpgrades, a: uint8(call.VersionNone)})
}

// unconfigure takes back the timestamps of the configuration.
func (c *Client) unconfigure() {
	for _, t := range []clientTime{sunset, waiver, declared} {
		if c.times[t].Load() != 0 {
			c.setTime(t, 0)
		}
	}
}

// createClosedSets makes the one client of a sidecar complete: whether the
// sidecar can go is read from series that have always existed.
func (c *Client) createClosedSets() {
	for _, v := range call.Versions {
		if v != call.VersionSSL3 {
			c.counter(key{family: famUpgrades, a: uint8(v)})
		}
	}
	for _, r := range HandshakeReasons {
		c.counter(key{family: famFailures, a: uint8(r)})
	}
	for i := range credentials {
		c.counter(key{family: famCredentials, a: uint8(i)})
	}
}

// Sweep frees the labels of discovered clients that were unseen for 24 h. It is
// done by itself when the table is full; calling it now and then keeps series
// of clients that are gone from being scraped.
func (m *Metrics) Sweep(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(now.Unix())
}

func (m *Metrics) sweep(now int64) {
	m.swept = now
	for name, c := range m.clients {
		if c.named || now-c.active.Load() < unseenFor || !c.free(now) {
			continue
		}
		delete(m.clients, name)
		m.discovered--
	}
	m.tracked.Set(float64(m.discovered))
}

// free deletes every series of the client, unless it is used just now.
func (c *Client) free(now int64) bool {
	c.series.mu.Lock()
	defer c.series.mu.Unlock()
	c.freed.Store(true)
	if now-c.active.Load() < unseenFor {
		c.freed.Store(false)
		return false
	}
	c.m.deleteClient(c.name)
	return true
}

func (f *families) deleteClient(name string) {
	label := prometheus.Labels{"client": name}
	for _, v := range []*prometheus.CounterVec{
		f.requests, f.connections, f.hellos, f.failures, f.credentials, f.policy, f.upgrades,
	} {
		v.DeletePartialMatch(label)
	}
	f.verdict.DeletePartialMatch(label)
	f.library.DeletePartialMatch(label)
	for _, v := range f.times {
		v.DeletePartialMatch(label)
	}
}

// clientCounter is the series of k for the client with that label.
func (f *families) clientCounter(client string, k key) prometheus.Counter {
	switch k.family {
	case famRequests:
		return f.requests.WithLabelValues(client, k.upstream.label, call.Version(k.a).String(), trueFalse(k.b != 0))
	case famConnections:
		return f.connections.WithLabelValues(client, call.Ingress(k.a).String(), call.Version(k.b).String(), call.Handling(k.c).String())
	case famHellos:
		return f.hellos.WithLabelValues(client, call.Version(k.a).String(), framings[k.b], yesNo(k.c != 0))
	case famFailures:
		return f.failures.WithLabelValues(client, HandshakeReason(k.a).String())
	case famCredentials:
		return f.credentials.WithLabelValues(client, credentials[k.a])
	case famPolicy:
		return f.policy.WithLabelValues(client, decisions[k.a], trueFalse(k.b != 0))
	default:
		return f.upgrades.WithLabelValues(client, call.Version(k.a).String())
	}
}
