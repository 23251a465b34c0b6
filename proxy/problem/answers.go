package problem

import "net/http"

// Answer is one kind of error answer that tlslift itself gives (design, section 8).
type Answer struct {
	Reason   Reason
	Status   int // HTTP status
	Delivery Delivery
	Closes   bool // the caller's connection ends after it

	// what says what happened, and advice what to do about it. hostMark is replaced
	// by the host. All texts are ASCII and contain nothing that XML or JSON would
	// escape.
	what, advice string
}

const (
	stays  = false
	closes = true
)

const (
	whatChunks   = "The chunks of the request body are broken."
	adviceChunks = "Correct the client: each chunk begins with its length in hexadecimal digits."
)

// Answers lists all kinds of answers. Every answer of our own is one of them, and
// docs/errors.md has the same table. The first one for a reason is its usual one.
var Answers = [...]Answer{
	{Malformed, http.StatusBadRequest, NotSent, closes, "The request is broken HTTP, or can be read in two ways.", "Correct the client: one Host, one Content-Length or chunked but not both, no folded header lines."},
	{Malformed, http.StatusBadRequest, Unknown, closes, whatChunks, adviceChunks},
	{Host, http.StatusForbidden, NotSent, stays, "This proxy does not serve ^.", "Call an SMSPortal API host, or ask the operator of tlslift to add this one to its upstreams."},
	{Port, http.StatusForbidden, NotSent, stays, "This port of ^ is not served.", "Use http without a port, or CONNECT to port 443."},
	{ACL, http.StatusForbidden, NotSent, stays, "This caller may not use this way in.", "Ask the operator of tlslift to allow it on the listener."},
	{InternalAddress, http.StatusForbidden, NotSent, stays, "The name ^ leads to an internal address, and those are refused.", "The operator of tlslift can correct DNS, or give the upstream its address."},
	{ProxyAuth, http.StatusProxyAuthRequired, NotSent, stays, "The proxy user name or password is missing or wrong.", "Set both in the proxy settings of the client."},
	{TooLarge, http.StatusRequestEntityTooLarge, NotSent, closes, "The body of the request is over its limit.", "Send fewer messages in one request, or ask the operator of tlslift to raise the limit."},
	{TooLarge, http.StatusRequestEntityTooLarge, Unknown, closes, "The body of the request is over its limit.", "Send fewer messages in one request, or ask the operator of tlslift to raise the limit."},
	{TooLarge, http.StatusRequestHeaderFieldsTooLarge, NotSent, closes, "The head of the request is over its limit.", "Send fewer messages in one request, or ask the operator of tlslift to raise the limit."},
	{TooLarge, http.StatusRequestURITooLong, NotSent, closes, "The request line is over its limit.", "Send fewer messages in one request, or ask the operator of tlslift to raise the limit."},
	{Misdirected, http.StatusMisdirectedRequest, NotSent, stays, "The request names a different host from the tunnel that it came through.", "Open a separate tunnel for each host."},
	{Method, http.StatusNotImplemented, NotSent, stays, "This method, or an upgrade to another protocol, is not supported.", "Send a plain HTTP request."},
	{Method, http.StatusNotImplemented, NotSent, closes, "The first word of the request is not an HTTP method.", "Look at the request before it on the same connection: a Content-Length that counts characters, not bytes, leaves the end of the body behind."},
	{Loop, http.StatusLoopDetected, NotSent, closes, "The request came back to the proxy that sent it.", "The operator of tlslift has to correct the hosts file, the DNS record or the proxy setting that leads ^ back to it. The status page is on the admin address: open it without the proxy."},
	{Limit, http.StatusServiceUnavailable, NotSent, closes, "The proxy has reached its limit of connections or memory.", "Try again later, and close connections that are no longer needed."},
	{Draining, http.StatusServiceUnavailable, NotSent, closes, "The proxy is shutting down.", "Try again."},
	{ClientTimeout, http.StatusRequestTimeout, NotSent, closes, "The rest of the request did not arrive in time.", "Look at the client, and at the network between it and the proxy."},
	{ClientTimeout, http.StatusRequestTimeout, Unknown, closes, "The rest of the request did not arrive in time.", "Look at the client, and at the network between it and the proxy."},
	{ClientGone, http.StatusBadGateway, NotSent, closes, "The caller had given up before its request could be sent.", "Give the client a longer timeout, and look at what its request waited for."},
	{DNS, http.StatusBadGateway, NotSent, stays, "The name ^ could not be resolved.", "The operator of tlslift has to look at its DNS."},
	{Connect, http.StatusBadGateway, NotSent, stays, "No connection to ^ could be made.", "Look at the network and the firewall between tlslift and ^."},
	{TLS, http.StatusBadGateway, NotSent, stays, "The TLS handshake with ^ failed.", "Look for a firewall that interferes, and at the status of ^."},
	{TLSVerify, http.StatusBadGateway, NotSent, stays, "The certificate of ^ could not be verified.", "The operator of tlslift has to look for a firewall that intercepts TLS, at the clock, and at the trusted certificates."},
	{ParentProxy, http.StatusBadGateway, NotSent, stays, "The parent proxy opened no tunnel to ^.", "The operator of tlslift has to look at the parent proxy and its credentials."},
	{Timeout, http.StatusGatewayTimeout, Unknown, stays, "There was no answer from ^ in time.", "Look at the status of ^."},
	{Timeout, http.StatusGatewayTimeout, NotSent, stays, "There was no connection to ^ in time.", "Look at the network between tlslift and ^."},
	{Reset, http.StatusBadGateway, Unknown, stays, "The connection to ^ broke before the answer was complete.", "Look at the status of ^, and at the network between it and tlslift."},
	{Reset, http.StatusBadGateway, NotSent, stays, "The connection to ^ failed before the request was sent.", "Look at the network between tlslift and ^."},
	{Protocol, http.StatusBadGateway, Unknown, stays, "The answer from ^ was not valid HTTP.", "Look at the status of ^."},
}

// answer returns the kind of answer for the problem.
func (p *Problem) answer() Answer {
	d := p.Delivery
	if d != NotSent {
		d = Unknown // Answered makes no sense here
	}
	for _, a := range Answers {
		if a.Reason == p.Reason && a.Delivery == d && (p.Status == 0 || p.Status == a.Status) && (a.Closes || !p.Closes) {
			if p.Cause != Usual {
				a.what, a.advice = p.Cause.text()
			}
			return a
		}
	}
	// Only if a row is missing; the text is true of any problem.
	return Answer{p.Reason, http.StatusBadGateway, d, closes, "The request failed.", "Ask the operator of tlslift."}
}
