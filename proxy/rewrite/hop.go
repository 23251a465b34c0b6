package rewrite

import (
	"net/http"
	"net/textproto"
	"strings"
)

// HopByHop removes the fields that are meant for one connection alone
// (RFC 9110 7.6.1): those named in Connection first, then the known ones,
// Proxy-Authenticate and Proxy-Authorization among them. It is for requests
// and answers; "TE: trailers" goes too, since trailers are not passed on.
//
// A field that frames a message, says what it means or who sends it is never
// hop-by-hop, so naming it in Connection does nothing: otherwise a caller
// could take the credentials off its own request, or tlslift's name out of
// Via, by "Connection: authorization, via". net/http/httputil and Caddy do
// remove those. What tlslift adds is to be added afterwards.
func HopByHop(h http.Header) {
	for _, v := range h["Connection"] {
		for v != "" {
			var option string
			option, v, _ = strings.Cut(v, ",")
			if option = strings.Trim(option, " \t"); !listed(option) {
				delete(h, textproto.CanonicalMIMEHeaderKey(option))
			}
		}
	}
	for _, key := range hopByHop {
		// Hardly any is there, and to look costs less than to delete.
		if _, ok := h[key]; ok { //nolint:staticcheck // S1033: looking costs less than deleting what is not there
			delete(h, key)
		}
	}
}

// hopByHop are the fields that go in any case. Keep-Alive and
// Proxy-Connection are as old as the clients; Proxy-Authentication-Info is of
// RFC 9110 11.7.3, HTTP2-Settings of RFC 7540 3.2.1.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Authentication-Info", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// listed reports whether a connection option needs no removal: those that go
// anyway or name no field, and those that are not hop-by-hop whatever
// Connection says. The first are here to save the common case an allocation.
func listed(option string) bool {
	switch len(option) {
	case len(""):
		return true
	case len("TE"):
		return strings.EqualFold(option, "TE")
	case len("Via"):
		return strings.EqualFold(option, "Via")
	case len("Host"):
		return strings.EqualFold(option, "Host")
	case len("close"):
		return strings.EqualFold(option, "close")
	case len("Cookie"):
		return strings.EqualFold(option, "Cookie")
	case len("Upgrade"):
		return strings.EqualFold(option, "Upgrade")
	case len("keep-alive"):
		return strings.EqualFold(option, "keep-alive") || strings.EqualFold(option, "Set-Cookie") ||
			strings.EqualFold(option, "SOAPAction")
	case len("Content-Type"):
		return strings.EqualFold(option, "Content-Type")
	case len("Authorization"):
		return strings.EqualFold(option, "Authorization")
	case len("Content-Length"):
		return strings.EqualFold(option, "Content-Length")
	case len("Content-Encoding"):
		return strings.EqualFold(option, "Content-Encoding")
	default:
		return false
	}
}

// StripOwn removes from an upstream's answer the fields by which tlslift
// marks its own answers, so that they cannot be forged (design, section 8).
func StripOwn(h http.Header) {
	for _, key := range [...]string{"Tlslift-Error", "Tlslift-Delivery"} {
		if _, ok := h[key]; ok { //nolint:staticcheck // S1033: looking costs less than deleting what is not there
			delete(h, key)
		}
	}
}
