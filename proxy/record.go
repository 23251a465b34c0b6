package proxy

import (
	"crypto/tls"
	"sync"
	"time"

	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// record gathers what the canonical log line, the metrics and the ledger say
// of one request or one tunnel. It belongs to the goroutine that serves the
// request; records are pooled.
type record struct {
	sess  *session
	out   responseWriter
	start time.Time
	id    string

	ingress call.Ingress
	method  string
	host    string // normalised and safe to log
	path    string // without a query
	apiType string

	route *upstream.Route // nil when refused or answered here
	label string          // metrics label "upstream"
	ex    upstream.Exchange

	body   watchedBody      // of the upstream's answer
	memory *upstream.Memory // for that answer; outlives the record's use

	status        int
	origin        origin
	reason        problem.Reason
	delivery      problem.Delivery
	detail        string // for the log: a closed text, never the client's bytes
	clientGone    bool
	requestBytes  int64
	responseBytes int64
	duration      time.Duration
	upstream      time.Duration // until the answer was held, or its head for a streamed one
	decision      string

	query string    // never logged
	held  *heldBody // the body's beginning, nil without one

	clientName string
	version    call.Version
	cipher     uint16
	ja4        string

	abort     bool // the answer was cut short: end the connection visibly
	streaming bool // the length is unknown to the client: flush as it comes
	insecure  bool
	ours      bool // the request was for one of our hosts
	upgraded  bool // it went upstream, which only tlslift made possible
	seesHTTP  bool // the caller asked for an http URL: its links stay http
}

// origin says who wrote the answer. Its String is the metrics label "origin".
type origin uint8

const (
	originTlslift origin = iota
	originUpstream
)

func (o origin) String() string {
	if o == originUpstream {
		return "upstream"
	}
	return "tlslift"
}

var recordPool = sync.Pool{New: func() any { return new(record) }}

func newRecord(sess *session, start time.Time, id string) *record {
	rec := recordPool.Get().(*record)
	rec.sess, rec.start, rec.id = sess, start, id
	if rec.memory == nil {
		rec.memory = new(upstream.Memory)
	}
	return rec
}

// release gives everything back. What the answer was kept in serves the next
// one: net/http has copied the header, and the body is closed.
func (rec *record) release() {
	rec.memory.Reset()
	*rec = record{memory: rec.memory}
	recordPool.Put(rec)
}

// MarshalLogObject writes the constant keys of the canonical line (design,
// section 8). Each key is always there, so that a line can be parsed by
// position of meaning and not by luck.
func (rec *record) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddString("client", rec.clientName)
	enc.AddString("client_addr", rec.sess.clientAddr)
	enc.AddString("ingress", rec.ingress.String())
	enc.AddString("tls_version", rec.version.String())
	enc.AddString("tls_cipher", cipherName(rec.cipher))
	enc.AddString("ja4", rec.ja4)
	enc.AddString("method", rec.method)
	enc.AddString("host", rec.host)
	enc.AddString("path", rec.path)
	enc.AddString("api_type", rec.apiType)
	enc.AddInt("status", rec.status)
	enc.AddString("origin", rec.origin.String())
	enc.AddString("delivery", rec.delivery.String())
	enc.AddBool("client_gone", rec.clientGone)
	enc.AddInt64("request_bytes", rec.requestBytes)
	enc.AddInt64("response_bytes", rec.responseBytes)
	enc.AddFloat64("duration_ms", milliseconds(rec.duration))
	enc.AddFloat64("upstream_ms", milliseconds(rec.upstream))
	enc.AddString("upstream_tls_version", tlsVersionName(rec.ex.TLSVersion))
	enc.AddBool("upstream_reused", rec.ex.Reused)
	enc.AddString("decision", rec.decision)
	enc.AddString("error", rec.reason.String())
	enc.AddString("request_id", rec.id)
	if rec.detail != "" {
		enc.AddString("detail", rec.detail)
	}
	return nil
}

// milliseconds rounds to microseconds, which is as fine as anybody reads.
func milliseconds(d time.Duration) float64 {
	return float64(d/time.Microsecond) / 1000
}

func cipherName(id uint16) string {
	if id == 0 {
		return ""
	}
	return tls.CipherSuiteName(id)
}

func tlsVersionName(v uint16) string {
	if v == 0 {
		return ""
	}
	return call.VersionOf(v).String()
}
