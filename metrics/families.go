package metrics

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Bucket bounds of the classic histograms, in seconds. There are few, because
// each costs a series per upstream. The native histograms kept beside them
// resolve within 10 %.
var (
	requestBuckets = []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 10, 100}
	phaseBuckets   = []float64{.001, .01, .05, .1, .25, 1, 5}
)

// Limits of the native histograms. A reset empties the classic buckets too, so it
// must be rare. The number of buckets bounds memory.
const (
	nativeFactor     = 1.1
	nativeBuckets    = 160
	nativeResetAfter = time.Hour
)

// families are the metrics of the contract.
type families struct {
	responses        *prometheus.CounterVec
	handshakes       *prometheus.CounterVec
	upstreamFailures *prometheus.CounterVec
	classicHellos    *prometheus.CounterVec
	duration         *prometheus.HistogramVec
	phase            *prometheus.HistogramVec
	pool             *prometheus.GaugeVec
	certificate      *prometheus.GaugeVec

	rewrites *prometheus.CounterVec
	denied   *prometheus.CounterVec
	open     *prometheus.GaugeVec
	limit    *prometheus.GaugeVec
	held     prometheus.GaugeFunc

	caNotAfter              prometheus.Gauge
	leaves                  prometheus.Counter
	reloadOK, reloadSuccess prometheus.Gauge
	configHash              *prometheus.GaugeVec
	logLines                prometheus.CounterFunc
	buildInfo               *prometheus.GaugeVec
}

func define(o Options) families {
	return families{
		responses: counters("responses_total",
			"Answers by status code and origin: tlslift or the upstream.",
			"upstream", "code", "origin"),
		handshakes: counters("upstream_handshakes_total",
			"TLS handshakes with upstreams, by negotiated version and suite.",
			"upstream", "tls_version", "cipher", "resumed"),
		upstreamFailures: counters("upstream_failures_total",
			"Requests that an upstream failed; unknown may have been delivered.",
			"upstream", "reason", "delivery"),
		classicHellos: counters("upstream_classic_hello_total",
			"TLS handshakes with upstreams that were tried again with a small, classic ClientHello.",
			"upstream"),
		duration: histograms("request_duration_seconds",
			"Time from a request's head to the end of its answer.",
			requestBuckets, "upstream", "ingress"),
		phase: histograms("upstream_phase_duration_seconds",
			"Time spent in each phase of an upstream exchange.",
			phaseBuckets, "upstream", "phase"),
		pool: gauges("upstream_pool_connections",
			"Upstream connections now, by state.",
			"upstream", "state"),
		certificate: gauges("upstream_certificate_not_after_timestamp_seconds",
			"When the certificate that the upstream last presented expires; 0 is never seen.",
			"upstream"),

		rewrites: counters("rewrites_total",
			"Changes made to answers for clients that see http, by kind.", "kind"),
		denied: counters("denied_total",
			"Requests and connections that tlslift refused, by reason.", "reason"),
		open: gauges("open_connections",
			"Client connections open now, by handling.", "handling"),
		limit: gauges("limit",
			"The limit of each resource, in the unit of its usage gauge.", "resource"),
		held: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "held_bytes",
			Help: "Memory held for callers now, of limits.memory: heads, bodies and answers.",
		}, func() float64 { return float64(o.Held()) }),

		caNotAfter: gauge("ca_not_after_timestamp_seconds",
			"When the signing CA expires; 0 without a CA."),
		leaves: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "leaf_certificates_minted_total",
			Help: "Leaf certificates signed by the local CA.",
		}),
		reloadOK: gauge("config_last_reload_successful",
			"1 when the last load of the configuration succeeded, else 0."),
		reloadSuccess: gauge("config_last_reload_success_timestamp_seconds",
			"When the configuration was last loaded successfully."),
		configHash: gauges("config_hash_info",
			"1, with a hash of the configuration in force.", "hash"),
		logLines: prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: namespace, Name: "log_lines_lost_total",
			Help: "Lines of the log that were dropped: its reader was too slow, or its disk was full.",
		}, func() float64 { return float64(o.LogLinesLost()) }),
		buildInfo: gauges("build_info",
			"1, with the version, revision and Go version of this build.",
			"version", "revision", "goversion"),
	}
}

func (f *families) register(reg prometheus.Registerer) error {
	for _, c := range [...]prometheus.Collector{
		f.responses, f.handshakes, f.upstreamFailures, f.classicHellos, f.duration, f.phase, f.pool, f.certificate,
		f.rewrites, f.denied, f.open, f.limit, f.held, f.caNotAfter, f.leaves, f.reloadOK, f.reloadSuccess, f.configHash, f.logLines, f.buildInfo,
	} {
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
