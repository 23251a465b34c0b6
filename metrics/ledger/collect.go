package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

const namespace = "tlslift"

// descs describes the client metrics of docs/metrics.md.
type descs struct {
	counters [numSubjects]*prometheus.Desc // by subject; nil for totals

	firstSeen, lastInsecure, lastSecure, lastFailed, declared *prometheus.Desc
	verdict, verdictTime, refuted, library                    *prometheus.Desc

	target, clients, overflow, lastWrite, writeFailures *prometheus.Desc

	all []*prometheus.Desc
}

func newDescs() (d descs) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		one := prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
		d.all = append(d.all, one)
		return one
	}
	d.counters[seriesRequests] = desc("client_requests_total",
		"Requests by client and TLS version of the client's side; requests inside spliced TLS cannot be seen.",
		"client", "upstream", "tls_version", "insecure")
	d.counters[seriesConnections] = desc("client_connections_total",
		"Client connections by way in, TLS version and handling, spliced ones too.",
		"client", "ingress", "tls_version", "handling")
	d.counters[seriesHellos] = desc("client_hellos_total",
		"ClientHellos by the highest version offered: what a client could do.",
		"client", "max_version", "framing", "sni")
	d.counters[seriesFailures] = desc("client_handshake_failures_total",
		"TLS handshakes of clients that failed, by reason.", "client", "reason")
	d.counters[seriesExposed] = desc("client_credentials_exposed_total",
		"Requests that carried a secret in clear or over old TLS on the client's side, by kind.", "client", "kind", "over")
	d.counters[seriesUpgrades] = desc("upgrades_total",
		"Requests that only tlslift made possible, by the client's TLS version.", "client", "from")

	d.firstSeen = desc("client_first_seen_timestamp_seconds",
		"When the client was first seen; 0 is never.", "client")
	d.lastInsecure = desc("client_last_insecure_timestamp_seconds",
		"When the client last called in clear or with TLS below 1.2; 0 is never.", "client")
	d.lastSecure = desc("client_last_secure_timestamp_seconds",
		"When the client last called with TLS 1.2 or later; 0 is never.", "client")
	d.lastFailed = desc("client_last_failed_timestamp_seconds",
		"When a TLS handshake of the client last failed because something is in its way; 0 is never.", "client")
	d.declared = desc("client_declared_migrated_timestamp_seconds",
		"When its owner declared the client migrated, from the configuration; 0 is not declared.", "client")
	d.verdict = desc("client_verdict",
		"1 for the client's current verdict; absent until the client was first seen.", "client", "verdict")
	d.verdictTime = desc("client_verdict_timestamp_seconds",
		"When the client last showed what the verdict is about, for each verdict that it gave evidence of.", "client", "verdict")
	d.refuted = desc("client_verdict_refuted_timestamp_seconds",
		"When what the verdict is about last succeeded, for each verdict that no longer applies.", "client", "verdict")
	d.library = desc("client_library_info",
		"1 for the client's TLS library, guessed from its hello, its program, from its User-Agent, and how the client was named.",
		"client", "library", "program", "identity_source")

	d.target = desc("target_timestamp_seconds",
		"The end of the day by which all clients are to be migrated, from the configuration; 0 is none.")
	d.clients = desc("clients",
		"Discovered clients now: tracked in the ledger, and labelled in the metrics.", "kind")
	d.overflow = desc("client_overflow_total",
		"Times a client was counted as _overflow because no label was free.")
	d.lastWrite = desc("ledger_last_write_timestamp_seconds",
		"When the ledger was last written to its file; 0 is never.")
	d.writeFailures = desc("ledger_write_failures_total",
		"Times the ledger's file could not be written, or was set aside because it was damaged.")
	return d
}

// Describe implements prometheus.Collector.
func (l *Ledger) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range l.descs.all {
		ch <- d
	}
}

// exported is a copy of what a client's metrics show.
type exported struct {
	row              // without its lists
	declared         int64
	verdict          Verdict
	library, program string
}

// exported returns the copy, with the verdict, library and program computed from r.
func (r *row) exported(p *policy, now time.Time) exported {
	c, s := *r, *r.series
	s.tallies = slices.Clone(s.tallies)
	c.series, c.marks, c.days, c.totals = &s, nil, nil, nil
	e := exported{row: c, declared: unixOf(p.clients[r.name].Migrated)}
	e.verdict, e.library, e.program = r.judge(p, now)
	return e
}

// Collect implements prometheus.Collector. It renders the clients that have a
// label, and the overflow row.
func (l *Ledger) Collect(ch chan<- prometheus.Metric) {
	now, d := l.clock(), &l.descs
	l.mu.Lock()
	l.endLeases(now.Unix())
	rows := make([]exported, 0, len(l.labels.rows)+1)
	for r := range l.labels.rows {
		rows = append(rows, r.exported(l.policy, now))
	}
	rows = append(rows, l.overflow.exported(l.policy, now))
	out := emitter{ch: ch, descs: d, upstreams: l.upstreams}
	target, tracked, labelled, unlabelled := l.policy.Target, l.tracked(), l.labelled(), l.labels.unlabelled
	l.mu.Unlock()

	for i := range rows {
		r := &rows[i]
		for _, t := range r.series.tallies {
			out.tally(&r.row, t)
		}
		if r.name == call.LabelOverflow {
			out.seconds(d.lastInsecure, r.series.lastInsecure, false, r.name)
			out.seconds(d.lastSecure, r.series.lastSecure, false, r.name)
			continue
		}
		out.client(r)
	}
	out.seconds(d.target, unixOf(target), true)
	out.gauge(d.clients, float64(tracked), "tracked")
	out.gauge(d.clients, float64(labelled), "labelled")
	out.counter(d.overflow, unlabelled)
	out.seconds(d.lastWrite, l.lastWrite.Load(), true)
	out.counter(d.writeFailures, l.writeFailures.Load())
}

// emitter turns values into metrics.
type emitter struct {
	ch        chan<- prometheus.Metric
	descs     *descs
	upstreams []string
}

// send emits a metric. Names are valid UTF-8, so the only possible error is a
// wrong number of labels, which the first scrape in a test reveals.
func (e *emitter) send(d *prometheus.Desc, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	e.ch <- m
}

func (e *emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, v, labels...)
	e.send(d, m, err)
}

func (e *emitter) counter(d *prometheus.Desc, n uint64) {
	m, err := prometheus.NewConstMetric(d, prometheus.CounterValue, float64(n))
	e.send(d, m, err)
}

// seconds emits a timestamp. It emits 0 (never) only if always is set.
func (e *emitter) seconds(d *prometheus.Desc, unix int64, always bool, labels ...string) {
	if unix != 0 || always {
		e.gauge(d, float64(unix), labels...)
	}
}

// client emits the gauges of one client. A configured client has its timestamps
// from the start.
func (e *emitter) client(r *exported) {
	d := e.descs
	e.seconds(d.firstSeen, r.first, r.configured, r.name)
	e.seconds(d.lastInsecure, r.lastInsecure, r.configured, r.name)
	e.seconds(d.lastSecure, r.lastSecure, r.configured, r.name)
	e.seconds(d.lastFailed, r.lastFailed, r.configured, r.name)
	e.seconds(d.declared, r.declared, r.configured, r.name)
	if r.verdict != NoVerdict {
		e.gauge(d.verdict, 1, r.name, r.verdict.String())
	}
	for _, v := range Verdicts {
		e.seconds(d.verdictTime, r.evidence.Held(v), false, r.name, v.String())
		e.seconds(d.refuted, r.evidence.Refuted(v), false, r.name, v.String())
	}
	if r.first != 0 {
		e.gauge(d.library, 1, r.name, cmp.Or(r.library, "unknown"), cmp.Or(r.program, "unknown"), r.source)
	}
}

// tally emits one counter of a client.
func (e *emitter) tally(r *row, t tally) {
	d := e.descs.counters[t.subject]
	m, err := prometheus.NewConstMetricWithCreatedTimestamp(d, prometheus.CounterValue, float64(t.n),
		time.Unix(r.series.since, 0), e.labels(r.name, t.key)...)
	if x := r.series.exemplar; err == nil && x.key == t.key && x.id != "" {
		m, err = prometheus.NewMetricWithExemplars(m, prometheus.Exemplar{
			Value: 1, Labels: prometheus.Labels{"request_id": x.id}, Timestamp: time.Unix(x.at, 0),
		})
	}
	e.send(d, m, err)
}

// labels returns the label values of one counter.
func (e *emitter) labels(client string, k key) []string {
	version := func(n uint8) string { return call.Version(n).String() }
	switch k.subject {
	case seriesRequests:
		return []string{client, e.upstreams[k.a], version(k.b), word(call.Version(k.b).Insecure(), "true", "false")}
	case seriesConnections:
		return []string{client, call.Ingress(k.a).String(), version(k.b), call.Handling(k.c).String()}
	case seriesHellos:
		return []string{client, version(k.a), word(k.b != 0, "sslv2", "tls"), word(k.c != 0, "yes", "no")}
	case seriesFailures:
		return []string{client, call.HandshakeFailure(k.a).String()}
	case seriesExposed:
		return []string{client, redact.Kind(k.a).String(), overWords[k.b]}
	default:
		return []string{client, version(k.a)}
	}
}

func word(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}
