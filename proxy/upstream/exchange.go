package upstream

import (
	"net/netip"
	"time"

	"tlslift/proxy/problem"
)

// Exchange is one round trip: what the pipeline wants, and the facts for the
// log and the metrics. It belongs to the caller of Do until the response's
// body is closed; it is not safe for concurrent use.
type Exchange struct {
	// Target is the raw request target in origin form, sent byte for byte
	// (RFC 9112 3.2.1). "" = that of the request's URL.
	Target string
	// AbortBody, if set, makes a Read of the request's body that is blocked
	// return at once. It is called when the answer came before the body was
	// sent; Do then returns only after the last Read of the body. Without it
	// one Read may still be going on when Do returns.
	AbortBody func()
	// Memory, if set, is where the answer may be kept, its Header and Body
	// included.
	Memory *Memory

	// Delivery is the word for this request. With a streamed answer it is
	// Answered only after Body.Read has returned io.EOF.
	Delivery problem.Delivery
	// EarlyAnswer says that the answer came before the body was sent whole.
	EarlyAnswer bool
	// BytesOut and BytesIn count body bytes, without framing.
	BytesOut, BytesIn int64
	TLSVersion        uint16 // of the connection; 0 = no TLS
	Cipher            uint16
	Reused            bool           // the connection had served a request before
	Remote            netip.AddrPort // the other end of the socket
	Attempts          int            // connections tried

	// Time spent. The first four are zero when a ready connection was used.
	Wait      time.Duration // for a connection, the next three included
	DNS       time.Duration
	Connect   time.Duration // TCP, and the parent proxy's CONNECT
	TLS       time.Duration
	FirstByte time.Duration // from the request's last byte to the answer's first
}

// Phase is a part of a request's time. Its String is the value of the metrics
// label "phase".
type Phase uint8

// The phases.
const (
	PhaseDNS Phase = iota
	PhaseConnect
	PhaseTLS
	PhaseFirstByte
)

// Phases lists every phase.
var Phases = [...]Phase{PhaseDNS, PhaseConnect, PhaseTLS, PhaseFirstByte}

func (p Phase) String() string {
	switch p {
	case PhaseDNS:
		return "dns"
	case PhaseConnect:
		return "connect"
	case PhaseTLS:
		return "tls"
	default:
		return "first_byte"
	}
}

// Observer is told what happens, for the metrics. Its methods are called from
// many goroutines and must not block. label is a Host's Pattern, or "_other".
type Observer interface {
	// Phase tells how long a part took. DNS, connect and TLS are also told
	// for connections made in the background.
	Phase(label string, p Phase, d time.Duration)
	// Handshake tells of a completed, verified handshake.
	Handshake(label string, version, cipher uint16, resumed bool)
	// Certificate tells when the server's certificate ends.
	Certificate(label string, notAfter time.Time)
	// Pool tells how many connections there are, when one was made or closed
	// and at most once a second otherwise.
	Pool(label string, idle, busy int)
	// ClassicHello tells of a handshake tried again with the classic hello
	// (tlslift_upstream_classic_hello_total).
	ClassicHello(label string)
}

type noObserver struct{}

func (noObserver) Phase(string, Phase, time.Duration)     {}
func (noObserver) Handshake(string, uint16, uint16, bool) {}
func (noObserver) Certificate(string, time.Time)          {}
func (noObserver) Pool(string, int, int)                  {}
func (noObserver) ClassicHello(string)                    {}
