package problem

import "net/http"

// sentences is what a person is told: what happened, and what to do about it.
// hostMark stands for the host. All texts are ASCII and free of anything
// that XML or JSON would escape.
type sentences struct{ what, advice string }

const (
	hostMark  = '^'
	someHost  = "the API host"
	maybeSent = "It may have been sent: check before sending again."
	notSent   = "Nothing was sent."
)

var texts = [numReasons]sentences{
	None: {"The request failed.", "Ask the operator of tlslift."},
	Malformed: {
		"The request is broken HTTP, or can be read in two ways.",
		"Correct the client: one Host, one Content-Length or chunked but not both, no folded header lines.",
	},
	Host: {
		"This proxy does not serve ^.",
		"Call an SMSPortal API host, or ask the operator of tlslift to add this one to its upstreams.",
	},
	Port: {
		"This port of ^ is not served.",
		"Use http on port 80, or CONNECT to port 443.",
	},
	ACL: {
		"This caller may not use this way in.",
		"Ask the operator of tlslift to allow it on the listener.",
	},
	InternalAddress: {
		"The name ^ leads to an internal address, and those are refused.",
		"The operator of tlslift can correct DNS, or give the upstream its address.",
	},
	ProxyAuth: {
		"The proxy user name or password is missing or wrong.",
		"Set both in the proxy settings of the client.",
	},
	TooLarge: {
		"The request is over a size limit.",
		"Send fewer messages in one request, or ask the operator of tlslift to raise the limit.",
	},
	Misdirected: {
		"The request names another host than the tunnel it came through.",
		"Open a tunnel of its own for each host.",
	},
	Method: {
		"This method, or an upgrade to another protocol, is not supported.",
		"Send a plain HTTP request.",
	},
	Loop: {
		"The request came back to the proxy that sent it.",
		"The operator of tlslift has to correct the hosts file, the DNS record or the proxy setting that leads ^ back to it. The status page is on the admin address: ask for it without the proxy.",
	},
	Limit: {
		"The proxy has as many connections as it may have.",
		"Try again later, and close connections that are no longer needed.",
	},
	Draining: {
		"The proxy is shutting down.",
		"Try again.",
	},
	ClientTimeout: {
		"The rest of the request did not arrive in time.",
		"Look at the client, and at the network between it and the proxy.",
	},
	DNS: {
		"The name ^ could not be resolved.",
		"The operator of tlslift has to look at its DNS.",
	},
	Connect: {
		"No connection to ^ could be made.",
		"Look at the network and the firewall between tlslift and the API.",
	},
	TLS: {
		"The TLS handshake with ^ failed.",
		"Look for a firewall that interferes, and at the status of the API.",
	},
	TLSVerify: {
		"The certificate of ^ could not be verified.",
		"The operator of tlslift has to look for a firewall that intercepts TLS, at the clock, and at the trusted certificates.",
	},
	ParentProxy: {
		"The parent proxy opened no tunnel to ^.",
		"The operator of tlslift has to look at the parent proxy and its credentials.",
	},
	Timeout: {
		"There was no answer from ^ in time.",
		"Look at the status of the API.",
	},
	Reset: {
		"The connection to ^ broke before the answer was complete.",
		"Look at the status of the API, and at the network between it and tlslift.",
	},
	Protocol: {
		"The answer of ^ was broken or incomplete.",
		"Look at the status of the API.",
	},
}

// Some reasons mean something else before, or after, the request was on its
// way.
var (
	drainingInFlight = sentences{
		"The proxy had to stop before the answer of ^ came.",
		"The operator of tlslift can raise its drain timeout.",
	}
	brokenBefore = sentences{
		"The connection to ^ failed before the request was sent.",
		"Look at the network between tlslift and the API.",
	}
	timeoutBefore = sentences{
		"There was no connection to ^ in time.",
		"Look at the network between tlslift and the API.",
	}
)

// tooLarge tells apart what was too large, by the status.
func tooLarge(status int) string {
	switch status {
	case http.StatusRequestHeaderFieldsTooLarge:
		return "The head of the request is over its limit."
	case http.StatusRequestURITooLong:
		return "The request line is over its limit."
	default:
		return "The body of the request is over its limit."
	}
}

// sentences picks the texts for the problem.
func (p *Problem) sentences() sentences {
	r := p.Reason
	if r >= numReasons {
		r = None
	}
	t := texts[r]
	switch {
	case r == TooLarge:
		t.what = tooLarge(p.status())
	case r == Draining && p.Delivery != NotSent:
		t = drainingInFlight
	case r == Timeout && p.Delivery == NotSent:
		t = timeoutBefore
	case (r == Reset || r == Protocol) && p.Delivery == NotSent:
		t = brokenBefore
	}
	return t
}

// message is the whole of what a person is told, at the end the words for a
// search in the log: people find it where their application logs the error it
// was given, and most log neither status nor headers.
func (p *Problem) message() string {
	t := p.sentences()
	b := p.appendText(make([]byte, 0, 512), t.what)
	b = append(b, ' ')
	if p.delivery() == Unknown {
		b = append(b, maybeSent...)
	} else {
		b = append(b, notSent...)
	}
	b = p.appendText(append(b, ' '), t.advice)
	b = append(b, " [tlslift: "...)
	b = append(b, p.word()...)
	b = append(append(b, ", "...), p.delivery().String()...)
	if id := cleanID(p.RequestID); id != "" {
		b = append(append(b, ", request "...), id...)
	}
	return string(append(b, ']'))
}

// appendText appends a sentence, the host put in.
func (p *Problem) appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if text[i] != hostMark {
			dst = append(dst, text[i])
		} else if !p.Host.IsZero() {
			dst = append(dst, p.Host.String()...)
		} else {
			dst = append(dst, someHost...)
		}
	}
	return dst
}
