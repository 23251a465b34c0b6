package rewrite

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// HopByHop removes the fields that are meant for one connection only (RFC 9110
// 7.6.1): first those named in Connection, then the known ones, including
// Proxy-Authenticate and Proxy-Authorization. It is for requests and answers. "TE:
// trailers" is removed too, since trailers are not passed on.
//
// A field that frames a message, gives its meaning or identifies its sender is never
// hop-by-hop, so naming it in Connection does nothing. Otherwise "Connection:
// authorization, via" would let a caller remove the credentials from its own request,
// or tlslift's name from Via. net/http/httputil and Caddy do remove those. Add
// tlslift's own fields after this call.
func HopByHop(h http.Header) {
	for _, v := range h["Connection"] {
		for option := range strings.SplitSeq(v, ",") {
			if option = strings.Trim(option, " \t"); !listed(option) {
				delete(h, textproto.CanonicalMIMEHeaderKey(option))
			}
		}
	}
	for _, key := range hopByHop {
		delete(h, key)
	}
}

// hopByHop are the fields that are always removed. Keep-Alive and Proxy-Connection
// are as old as the clients. Proxy-Authentication-Info is from RFC 9110 11.7.3,
// HTTP2-Settings from RFC 7540 3.2.1.
var hopByHop = [...]string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Proxy-Authentication-Info", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
}

// listed reports whether a connection option needs no removal of its own: it is
// always removed, names no field, or is not hop-by-hop whatever Connection says.
func listed(option string) bool {
	return slices.ContainsFunc(listedOptions[:], func(l string) bool { return strings.EqualFold(l, option) })
}

// listedOptions lists the most frequent options first.
var listedOptions = [...]string{
	"close", "keep-alive", "TE", "Upgrade", "",
	"Host", "Content-Type", "Content-Length", "Content-Encoding", "Authorization", "Cookie", "Set-Cookie", "SOAPAction", "Via",
}

// StripOwn removes from an upstream's answer the fields that mark tlslift's own
// answers, so they cannot be forged (design, section 8).
func StripOwn(h http.Header) {
	for _, key := range [...]string{"Tlslift-Error", "Tlslift-Delivery"} {
		delete(h, key)
	}
}
