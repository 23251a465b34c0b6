package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bucket bounds of the classic histograms, in seconds. They are few on
// purpose: each costs a series per upstream, and native histograms, kept
// beside them, resolve within 10 %.
var (
	requestBuckets = []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 10, 100}
	phaseBuckets   = []float64{.001, .01, .05, .1, .25, 1, 5}
)

// Limits of the native histograms. A reset empties the classic buckets too,
// so it must be rare; the number of buckets bounds memory.
const (
	nativeFactor     = 1.1
	nativeBuckets    = 160
	nativeResetAfter = time.Hour
)

// families are the metrics of the contract, by what they count.
type families struct {
	requests    *prometheus.CounterVec
	connections *prometheus.CounterVec
	hellos      *prometheus.CounterVec
	failures    *prometheus.CounterVec
	credentials *prometheus.CounterVec
	policy      *prometheus.CounterVec
	upgrades    *prometheus.CounterVec
	verdict     *prometheus.GaugeVec
	library     *prometheus.GaugeVec
	times       [numClientTimes]*prometheus.GaugeVec

	responses        *prometheus.CounterVec
	handshakes       *prometheus.CounterVec
	upstreamFailures *prometheus.CounterVec
	duration         *prometheus.HistogramVec
	phase            *prometheus.HistogramVec
	pool             *prometheus.GaugeVec
	certificate      *prometheus.GaugeVec

	rewrites *prometheus.CounterVec
	denied   *prometheus.CounterVec
	open     *prometheus.GaugeVec

	tracked, trackedLimit   prometheus.Gauge
	overflow                prometheus.Counter
	caNotAfter              prometheus.Gauge
	leaves                  prometheus.Counter
	reloadOK, reloadSuccess prometheus.Gauge
	buildInfo               *prometheus.GaugeVec
}

func (f *families) define() {
	f.defineClients()
	f.defineUpstreams()
	f.defineService()
}

func (f *families) defineClients() {
	f.requests = counters("client_requests_total",
		"Requests by client and TLS version of the client's side; requests inside spliced TLS cannot be seen.",
		"client", "upstream", "tls_version", "insecure")
	f.connections = counters("client_connections_total",
		"Client connections by way in, TLS version and handling, spliced ones too.",
		"client", "ingress", "tls_version", "handling")
	f.hellos = counters("client_hellos_total",
		"ClientHellos by the highest version offered: what a client could do.",
		"client", "max_version", "framing", "sni")
	f.failures = counters("client_handshake_failures_total",
		"TLS handshakes of clients that failed, by reason.",
		"client", "reason")
	f.credentials = counters("client_credentials_exposed_total",
		"Requests that carried a secret in clear on the client's side, by kind.",
		"client", "kind")
	f.policy = counters("policy_decisions_total",
		"Policy decisions; enforced is false in shadow mode.",
		"client", "decision", "enforced")
	f.upgrades = counters("upgrades_total",
		"Requests that only tlslift made possible, by the client's TLS version.",
		"client", "from")
	f.verdict = gauges("client_verdict",
		"1 for the client's current verdict; absent before the first sight.",
		"client", "verdict")
	f.library = gauges("client_library_info",
		"1 for the client's guessed TLS library or runtime, and how the client was named.",
		"client", "library", "identity_source")
	for t, d := range clientTimes {
		f.times[t] = gauges(d.name, d.help, "client")
	}
}

func (f *families) defineUpstreams() {
	f.responses = counters("responses_total",
		"Answers by status code and by who wrote them.",
		"upstream", "code", "origin")
	f.handshakes = counters("upstream_handshakes_total",
		"TLS handshakes with upstreams, by negotiated version and suite.",
		"upstream", "tls_version", "cipher", "resumed")
	f.upstreamFailures = counters("upstream_failures_total",
		"Requests that an upstream failed; unknown may have been delivered.",
		"upstream", "reason", "delivery")
	f.duration = histograms("request_duration_seconds",
		"Time from a request's head to the end of its answer.",
		requestBuckets, "upstream", "ingress")
	f.phase = histograms("upstream_phase_duration_seconds",
		"Time spent in each phase of an upstream exchange.",
		phaseBuckets, "upstream", "phase")
	f.pool = gauges("upstream_pool_connections",
		"Upstream connections now, by state.",
		"upstream", "state")
	f.certificate = gauges("upstream_certificate_not_after_timestamp_seconds",
		"When the certificate that the upstream last presented expires; 0 is never seen.",
		"upstream")
}

func (f *families) defineService() {
	f.rewrites = counters("rewrites_total",
		"Changes made to answers for clients that see http, by kind.", "kind")
	f.denied = counters("denied_total",
		"Requests and connections that tlslift refused, by reason.", "reason")
	f.open = gauges("open_connections",
		"Client connections open now, by handling.", "handling")
	f.tracked = gauge("tracked_clients",
		"Discovered clients that have a label of their own.")
	f.trackedLimit = gauge("tracked_clients_limit",
		"Discovered clients that may have a label of their own.")
	f.overflow = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "client_overflow_total",
		Help: "Times a client was counted as _overflow for want of a free label.",
	})
	f.caNotAfter = gauge("ca_not_after_timestamp_seconds",
		"When the signing CA expires; 0 without a CA.")
	f.leaves = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "leaf_certificates_minted_total",
		Help: "Leaf certificates signed by the local CA.",
	})
	f.reloadOK = gauge("config_last_reload_successful",
		"1 when the last load of the configuration succeeded, else 0.")
	f.reloadSuccess = gauge("config_last_reload_success_timestamp_seconds",
		"When the configuration was last loaded successfully.")
	f.buildInfo = gauges("build_info",
		"1, with the version, revision and Go version of this build.",
		"version", "revision", "goversion")
}

// register registers every family with reg.
func (f *families) register(reg prometheus.Registerer) error {
	all := []prometheus.Collector{
		f.requests, f.connections, f.hellos, f.failures, f.credentials, f.policy, f.upgrades,
		f.verdict, f.library, f.responses, f.handshakes, f.upstreamFailures, f.duration, f.phase,
		f.pool, f.certificate, f.rewrites, f.denied, f.open, f.tracked, f.trackedLimit, f.overflow,
		f.caNotAfter, f.leaves, f.reloadOK, f.reloadSuccess, f.buildInfo,
	}
	for _, v := range f.times {
		all = append(all, v)
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

const namespace = "tlslift"

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
}

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help,
		Buckets:                         buckets,
		NativeHistogramBucketFactor:     nativeFactor,
		NativeHistogramMaxBucketNumber:  nativeBuckets,
		NativeHistogramMinResetDuration: nativeResetAfter,
	}, labels)
}
