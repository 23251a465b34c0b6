package oldtls

import (
	"crypto/tls"
	"net/http"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestCallersThatAreNotAllowed: whichever way they come, they are told so, may
// stay, and have their lines; nothing of theirs goes anywhere.
func TestCallersThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', allow: [10.0.0.0/8]}]\nothers: pass")
	c := harness.Dial(t, s.Addr())
	requests := []string{
		ask(api, credits), "GET http://" + api + credits + " HTTP/1.1\r\nHost: x\r\n\r\n", ask("check.tlslift.test", "/"),
		"POST http://elsewhere.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", "CONNECT " + api + ":443 HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	for _, request := range requests {
		answer := c.Send(request).Answer("GET")
		if answer.StatusCode != http.StatusForbidden || answer.Problem() != "acl" || answer.Delivery() != "not_sent" || answer.Close {
			t.Errorf("%.30q: %d %q %q, closes: %v", request, answer.StatusCode, answer.Problem(), answer.Delivery(), answer.Close)
		}
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12} {
		h := spelled{version: version, suites: plainSuites, sni: api}
		refused(t, say(t, direct.open(t, s, api), h.wire()), alertAccessDenied)
	}
	s.WaitMetric(float64(len(requests)+2), "tlslift_denied_total", "reason", "acl")
	s.WaitLogs(0, harness.Match{"msg": "request", "error": "acl", "delivery": "not_sent", "status": 403}, len(requests))
	s.WaitLogs(0, harness.Match{"msg": "tunnel", "error": "acl", "end": "handshake", "handling": "refused", "host": api}, 2)
	if n := s.portal.Connections(); n != 0 {
		t.Errorf("%d connections to the API", n)
	}
}

// TestHelloOverTheLimit: no room for one more is an alert and a line, too.
func TestHelloOverTheLimit(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "limits: {connections_per_client: 1}")
	harness.Dial(t, s.Addr()).Send(ask(api, credits)).Answer("GET")
	h := spelled{version: tls.VersionTLS12, suites: plainSuites, sni: api}
	refused(t, say(t, direct.open(t, s, api), h.wire()), alertInternalError)
	s.WaitLog(harness.Match{"msg": "tunnel", "error": "limit", "handling": "refused", "host": api, "ingress": "tls"})
	s.WaitMetric(1, "tlslift_denied_total", "reason", "limit")
}
