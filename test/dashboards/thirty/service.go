package thirty

import "math"

// What an exchange with SMSPortal takes, in seconds.
const (
	Waiting    = 0.15  // until the first byte
	Added      = 0.012 // what tlslift adds to that
	Connecting = 0.02
	Shaking    = 0.04
)

// What each instance may have, and its configuration.
const (
	MaxConnections         = 4096
	MaxUpstreamConnections = 256
	Hash                   = "6f1ed002ab559585"
)

var (
	requestBuckets = []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 10, 100}
	phaseBuckets   = []float64{.001, .01, .05, .1, .25, 1, 5}
)

// serve is what the instance does for the requests of this tick, and how it is.
func (i *instance) serve(w *World, ago float64) {
	if !i.up {
		return
	}
	n := i.requests
	if n > 0 {
		i.exchange(w, n, ago)
	}
	i.set("up", 1)
	i.set("process_open_fds", 30+n)
	i.set("process_max_fds", 1000)
	i.set("tlslift_open_connections", 10+n, "handling", "plain")
	i.set("tlslift_open_connections", 6, "handling", "spliced")
	i.set("tlslift_upstream_pool_connections", 4, "upstream", upstream, "state", "idle")
	i.set("tlslift_upstream_pool_connections", math.Ceil(n/10), "upstream", upstream, "state", "busy")
	i.set("tlslift_upstream_certificate_not_after_timestamp_seconds", float64(Ago(-80).Unix()), "upstream", upstream)
	i.set("tlslift_config_last_reload_success_timestamp_seconds", float64(Ago(20).Unix()))
	i.set("tlslift_config_last_reload_successful", 1)
	i.add("tlslift_client_overflow_total", 0)
	i.add("tlslift_denied_total", 0, "reason", "limit")
	i.add("tlslift_log_lines_lost_total", 0)
	i.add("tlslift_ledger_write_failures_total", 0)
	i.set("tlslift_limit", MaxConnections, "resource", "connections")
	i.set("tlslift_limit", MaxUpstreamConnections, "resource", "upstream_connections")
	i.set("tlslift_limit", 10000, "resource", "tracked_clients")
	i.set("tlslift_config_hash_info", 1, "hash", Hash)
	if i.client != "" {
		i.set("tlslift_ca_not_after_timestamp_seconds", 0)
		return
	}
	i.set("tlslift_ca_not_after_timestamp_seconds", float64(Ago(-20).Unix()))
	i.set("tlslift_clients", 2, "kind", "labelled")
	i.set("tlslift_clients", 2, "kind", "tracked")
	i.set("tlslift_limit", 100, "resource", "labelled_clients")
	if i.name == "gw-b:9129" && ago < refusedReload {
		i.set("tlslift_config_last_reload_successful", 0)
	}
}

// exchange sends n requests to SMSPortal.
func (i *instance) exchange(w *World, n, ago float64) {
	switch {
	case outage.has(ago):
		i.fail(w, n, "502", "connect", "not_sent")
		return
	case timeouts.has(ago):
		lost := math.Ceil(n / 3)
		i.fail(w, lost, "504", "timeout", "unknown")
		n -= lost
	}
	if n == 0 {
		return
	}
	i.add("tlslift_responses_total", n, "upstream", upstream, "code", "200", "origin", "upstream")
	i.observe("tlslift_request_duration_seconds", requestBuckets, Waiting+Added, n, "upstream", upstream, "ingress", "forward")
	i.observe("tlslift_upstream_phase_duration_seconds", phaseBuckets, Waiting, n, "upstream", upstream, "phase", "first_byte")
	fresh := math.Ceil(n / 8)
	i.observe("tlslift_upstream_phase_duration_seconds", phaseBuckets, Connecting, fresh, "upstream", upstream, "phase", "connect")
	i.observe("tlslift_upstream_phase_duration_seconds", phaseBuckets, Shaking, fresh, "upstream", upstream, "phase", "tls")
	i.shake(w, fresh, "1.3", "TLS_AES_128_GCM_SHA256")
	if w.at.Hour() == 9 && w.at.Minute() == 0 { // a router's hiccup
		i.add("tlslift_upstream_classic_hello_total", 1, "upstream", upstream)
	}
	if w.at.Minute()%20 == 0 {
		i.shake(w, 1, "1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
	}
}

func (i *instance) shake(w *World, n float64, version, cipher string) {
	i.add("tlslift_upstream_handshakes_total", n, "upstream", upstream, "tls_version", version, "cipher", cipher, "resumed", "true")
	w.total["handshake/"+version] += n
}

func (i *instance) fail(w *World, n float64, code, reason, delivery string) {
	i.add("tlslift_responses_total", n, "upstream", upstream, "code", code, "origin", "tlslift")
	i.add("tlslift_upstream_failures_total", n, "upstream", upstream, "reason", reason, "delivery", delivery)
	w.total["upstream failure/"+delivery+": "+reason] += n
}
