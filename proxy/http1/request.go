package http1

import (
	"net/http"

	"tlslift/proxy/host"
)

// Form is the form of a request target (RFC 9112 section 3.2).
type Form uint8

// The forms.
const (
	OriginForm    Form = iota // /path?query
	AbsoluteForm              // http://host/path?query
	AuthorityForm             // host:port, of CONNECT alone
	AsteriskForm              // *, of OPTIONS alone
)

// Request is one request, judged and repaired. The connection reuses it, its
// header map and the values in it for the next one: nothing may keep any of
// them beyond the handler's return. Strings may be kept; they hold on to the
// whole head.
//
// Host is Authority. URL is nil, RemoteAddr is empty, and Close says that the
// caller asked for no further request. Fields that this package deals with are
// not in Header: Host, Transfer-Encoding, Trailer and Expect, and the
// Content-Length of CONNECT. Body is http.NoBody when there is none; it may be
// read by one goroutine at a time, until the handler returns.
type Request struct {
	http.Request

	Form   Form
	Scheme string // of the absolute form, in lower case; else ""
	// Authority is host[:port] as the target names it, else as the Host field
	// does; "" when none is named. Name and Port are the same, parsed.
	Authority string
	Name      host.Name
	Port      uint16
	// Target is what goes upstream, in origin form (or "*"), byte for byte
	// except that raw spaces and tabs are escaped; "" for CONNECT.
	Target string
	// Blanks says that the target came with raw spaces or tabs.
	Blanks bool
	// Queued says that its first bytes were there when the request before it was
	// answered: how long it has waited is not known.
	Queued bool
	// Refusal is not nil for a request that cannot be served. Method, Target,
	// Authority and version are then as much as is safe to repeat, without the
	// query, and "" where that is nothing; there are no fields and no body.
	Refusal *Refusal

	raw    string // its head as it came; of a refused one, all that came
	fields fields
	body   *body
}

// BodyBytes is how many bytes of the body were handed out so far, without
// framing. It may be called from any goroutine while the request is served.
func (r *Request) BodyBytes() int64 {
	if r.body == nil {
		return 0
	}
	return r.body.count.Load()
}

// reset empties the request and keeps its memory.
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
