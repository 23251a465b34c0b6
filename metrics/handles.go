package metrics

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// family names the counter family that a handle belongs to.
type family uint8

const (
	famRequests family = iota
	famConnections
	famHellos
	famFailures
	famCredentials
	famPolicy
	famUpgrades
	famResponses
	famHandshakes
	famUpstreamFailures
)

// key is the labels of one series as small numbers, so that finding its handle
// hashes no strings. What n, a, b and c mean is the family's own.
type key struct {
	upstream *upstream
	n        uint16
	family   family
	a, b, c  uint8
}

// handle is one counter, and the second in which it last got an exemplar.
type handle struct {
	prometheus.Counter
	exemplar atomic.Int64
}

// incExemplar adds one, with id as exemplar at most once a second: exemplars
// allocate, and a scrape sees only the last.
func (h *handle) incExemplar(id string, now int64) {
	last := h.exemplar.Load()
	if last == now || !validExemplar(id) || !h.exemplar.CompareAndSwap(last, now) {
		h.Inc()
		return
	}
	h.addExemplar(id)
}

func (h *handle) addExemplar(id string) {
	adder, ok := h.Counter.(prometheus.ExemplarAdder)
	if !ok {
		h.Inc()
		return
	}
	adder.AddWithExemplar(1, exemplarOf(id))
}

func exemplarOf(id string) prometheus.Labels {
	return prometheus.Labels{"request_id": id}
}

// validExemplar reports whether id may be an exemplar: OpenMetrics allows 128
// characters for names and values together, and the library panics beyond.
func validExemplar(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// handles finds a series' handle without a lock: the map is never changed,
// only replaced, which happens once per series.
type handles struct {
	mu sync.Mutex // held to replace the map
	m  atomic.Pointer[map[key]*handle]
}

// get returns the handle of k, nil when there is none yet.
func (hs *handles) get(k key) *handle {
	if m := hs.m.Load(); m != nil {
		return (*m)[k]
	}
	return nil
}

// put keeps h for k. The caller holds hs.mu.
func (hs *handles) put(k key, h *handle) {
	grown := make(map[key]*handle)
	if m := hs.m.Load(); m != nil {
		maps.Copy(grown, *m)
	}
	grown[k] = h
	hs.m.Store(&grown)
}
