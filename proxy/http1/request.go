package http1

import (
	"net/http"

	"tlslift/proxy/host"
)

// Form is the form of a request target (RFC 9112 section 3.2).
type Form uint8

// Forms of a request target.
const (
	OriginForm    Form = iota // /path?query
	AbsoluteForm              // http://host/path?query
	AuthorityForm             // host:port, only for CONNECT
	AsteriskForm              // *, only for OPTIONS
)

// Request is one request, validated and repaired. The connection reuses it, its
// header map and the value slices for the next request, so a handler must not keep
// any of them after it returns. It may keep strings, but each keeps the whole head
// in memory.
//
// Host is host[:port] from the target or, if the target has none, from the Host field;
// "" if neither names a host. URL is nil and RemoteAddr is empty. Close means that the
// connection ends after this request. Header omits the fields that this package
// handles: Host, Transfer-Encoding, Trailer and Expect, and the Content-Length of
// CONNECT. Body is http.NoBody if there is none. One goroutine at a time may read
// it, until the handler returns.
type Request struct {
	http.Request

	Form   Form
	Scheme string // of an absolute-form target, in lower case; else ""
	// Name and Port are the parts of Host.
	Name host.Name
	Port uint16
	// Target is the target to send upstream, in origin form (or "*"): byte for byte
	// as received, but with raw spaces and tabs escaped; "" for CONNECT.
	Target string
	// Blanks reports whether the target contained raw spaces or tabs.
	Blanks bool
	// Queued reports whether the request began to arrive before the previous one
	// was answered. How long it has waited is then unknown.
	Queued bool
	// Refusal is not nil for a request that cannot be served, which has no body.
	Refusal *Refusal
	// Partial reports whether it was refused before all its fields were read. Method,
	// Target, Host and version then hold only what is safe to repeat, without the
	// query, and are "" where nothing is safe. Such a request has no fields.
	Partial bool

	raw    string // the head as received; for a refused request, all that was received
	fields fields
	body   *body
}

// BodyBytes returns how many bytes of the body have been read so far, without
// framing. Any goroutine may call it while the request is being served.
func (r *Request) BodyBytes() int64 {
	if r.body == nil {
		return 0
	}
	return r.body.count.Load()
}

// reset empties the request but keeps its memory.
func (r *Request) reset() {
	f := r.fields
	f.reset()
	hr := &r.Request // keeps its context
	hr.Method, hr.URL, hr.RequestURI, hr.Host = "", nil, "", ""
	hr.Proto, hr.ProtoMajor, hr.ProtoMinor, hr.Close = "", 0, 0, false
	hr.Header, hr.Trailer, hr.TransferEncoding = f.header, nil, nil
	hr.Body, hr.ContentLength = http.NoBody, 0
	*r = Request{Request: *hr, fields: f}
}
