package problem

import (
	"net/http"
	"strconv"

	"tlslift/proxy/host"
)

const (
	// retryAfter is the Retry-After header of a 503, in seconds (RFC 9110 10.2.3).
	retryAfter = "5"
	// challenge is the Proxy-Authenticate header of a 407 (RFC 7617 section 2).
	challenge = `Basic realm="tlslift"`
)

// Problem is one error answer of our own.
type Problem struct {
	Reason    Reason
	Status    int       // 0: the reason's usual one; 431 or 414 for a TooLarge that is not about a body
	Closes    bool      // the connection must end after it, whatever the reason
	Delivery  Delivery  // Answered makes no sense here and counts as Unknown
	Host      host.Name // the host that was asked for; zero = unknown
	RequestID string    // as in the log line; "" = none
	Cause     Cause     // Usual: the reason explains it
}

func (p *Problem) status() int { return p.answer().Status }

func (p *Problem) delivery() Delivery { return p.answer().Delivery }

// word returns the reason's word, which is never empty.
func (p *Problem) word() string {
	if w := p.Reason.String(); w != "" {
		return w
	}
	return Protocol.String()
}

// Render returns the answer in a dialect: its kind, its header and its body, all in
// ASCII. The header contains what the reason requires (design, section 8) and the
// body's length. The caller must close the connection if the answer says so, and must
// not send the body for HEAD.
//
// SOAP faults have the status of the table, not always 500 (SOAP 1.1, 6.2): the
// status says whether a request may be repeated. Stacks that accept a fault only with
// 500 throw an error with the status, which is as good.
func (p *Problem) Render(d Dialect) (Answer, http.Header, []byte) {
	var body string
	switch d {
	case API5:
		body = p.api5()
	case SOAP11:
		body = p.soap11()
	case SOAP12:
		body = p.soap12()
	case REST:
		body = p.rest()
	default:
		body = p.message() + "\n"
	}
	return p.answer(), p.header(d, len(body)), []byte(body)
}

// Phrase returns the reason phrase, for programs that show nothing else: the status
// text, then the reason and the delivery.
func (p *Problem) Phrase() string {
	return http.StatusText(p.status()) + " (tlslift: " + p.word() + ", " + p.delivery().String() + ")"
}

func (p *Problem) header(d Dialect, length int) http.Header {
	h := http.Header{
		"Content-Type":     {d.ContentType()},
		"Content-Length":   {strconv.Itoa(length)},
		"Cache-Control":    {"no-store"},
		"Tlslift-Error":    {p.word()},
		"Tlslift-Delivery": {p.delivery().String()},
	}
	switch p.status() {
	case http.StatusServiceUnavailable:
		h["Retry-After"] = []string{retryAfter}
	case http.StatusProxyAuthRequired:
		h["Proxy-Authenticate"] = []string{challenge}
	}
	return h
}
