package rewrite

import (
	"net/http"
	"net/textproto"
	"slices"
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
		delete(h, key)
	}
}

// hopByHop are the fields that go in any case. Keep-Alive and
// Proxy-Connection are as old as the clients; Proxy-Authentication-Info is of
// RFC 9110 11.7.3, HTTP2-Settings of RFC 7540 3.2.1.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Authentication-Info", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// listed reports whether a connection option needs no removal: it goes in any
// case, names no field, or is not hop-by-hop whatever Connection says.
func listed(option string) bool {
	return slices.ContainsFunc(listedOptions[:], func(l string) bool { return strings.EqualFold(l, option) })
}

// listedOptions has the most frequent first.
var listedOptions = [...]string{
	"close", "keep-alive", "TE", "Upgrade", "",
	"Host", "Content-Type", "Content-Length", "Content-Encoding", "Authorization", "Cookie", "Set-Cookie", "SOAPAction", "Via",
}

// StripOwn removes from an upstream's answer the fields by which tlslift
// marks its own answers, so that they cannot be forged (design, section 8).
func StripOwn(h http.Header) {
	for _, key := range [...]string{"Tlslift-Error", "Tlslift-Delivery"} {
		delete(h, key)
	}
}
