package problem

import "slices"

// Reason says why tlslift itself answered a request, or why an upstream failed
// it. It is one closed set: its String is the value of the Tlslift-Error
// header, of the log field "error" and of the metrics label "reason"
// (design, section 8).
type Reason uint8

// The reasons. None is the zero value: nothing went wrong.
const (
	None Reason = iota
	// Refused before anything was sent.
	Malformed       // ambiguous or broken HTTP, bad host
	Host            // a foreign host, refused
	Port            // a port, refused
	ACL             // the caller may not connect
	InternalAddress // the upstream's name resolves to an internal address
	ProxyAuth       // proxy credentials missing or wrong
	TooLarge        // head, target or body over its limit
	Misdirected     // not the host that the tunnel was opened for
	Method          // protocol upgrade or unsupported method
	Loop            // the request came from ourselves
	Limit           // connection limits, pool full
	Draining        // shutting down
	ClientTimeout   // the caller's head or body did not arrive in time
	ClientGone      // the caller had given up before a byte was sent
	// The upstream side failed.
	DNS
	Connect
	TLS
	TLSVerify
	ParentProxy
	Timeout
	Reset
	Protocol
	numReasons
)

var reasonWords = [numReasons]string{
	None: "", Malformed: "malformed", Host: "host", Port: "port", ACL: "acl",
	InternalAddress: "internal_address", ProxyAuth: "proxy_auth", TooLarge: "too_large",
	Misdirected: "misdirected", Method: "method", Loop: "loop", Limit: "limit", Draining: "draining",
	ClientTimeout: "client_timeout", ClientGone: "client_gone", DNS: "dns", Connect: "connect", TLS: "tls",
	TLSVerify: "tls_verify", ParentProxy: "parent_proxy", Timeout: "timeout",
	Reset: "reset", Protocol: "protocol",
}

func (r Reason) String() string {
	if r >= numReasons {
		return ""
	}
	return reasonWords[r]
}

// MarshalText returns the word of the Reason.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText sets the Reason that the word names. An unknown word is None.
func (r *Reason) UnmarshalText(word []byte) error {
	*r = Reason(max(0, slices.Index(reasonWords[:], string(word))))
	return nil
}

// DeniedReasons lists the label values of tlslift_denied_total.
var DeniedReasons = [...]Reason{
	Malformed, Host, Port, ACL, InternalAddress, ProxyAuth, TooLarge, Misdirected,
	Method, Loop, Limit, Draining, ClientTimeout, ClientGone,
}

// UpstreamReasons lists the label values of tlslift_upstream_failures_total.
var UpstreamReasons = [...]Reason{DNS, Connect, TLS, TLSVerify, ParentProxy, Timeout, Reset, Protocol}

// Denied reports whether the reason counts in tlslift_denied_total.
func (r Reason) Denied() bool { return r >= Malformed && r <= ClientGone }

// Upstream reports whether the reason counts in tlslift_upstream_failures_total.
func (r Reason) Upstream() bool { return r >= DNS && r < numReasons }

// Delivery says whether a request may have reached the upstream. It is the
// value of the Tlslift-Delivery header and of the log field "delivery".
type Delivery uint8

// The deliveries.
const (
	NotSent  Delivery = iota // provably not a byte of the request was written
	Unknown                  // bytes were written, and no complete answer came
	Answered                 // a complete answer came from the upstream
)

var deliveryWords = [...]string{NotSent: "not_sent", Unknown: "unknown", Answered: "answered"}

func (d Delivery) String() string { return deliveryWords[d] }

// MarshalText returns the word of the Delivery.
func (d Delivery) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText sets the Delivery that the word names. An unknown word is NotSent.
func (d *Delivery) UnmarshalText(word []byte) error {
	*d = Delivery(max(0, slices.Index(deliveryWords[:], string(word))))
	return nil
}
