package call

import (
	"time"

	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

// Kind is what an Outcome describes.
type Kind uint8

// The kinds.
const (
	Request  Kind = iota // one HTTP request that was answered
	Tunnel               // one tunnel, spliced, terminated, relayed or refused
	Observed             // nothing has ended: only Outcome.Observation is reported
	Dropped              // a connection refused for Reason before a request; a Status means that the caller was answered
)

// Kinds lists every kind.
var Kinds = [...]Kind{Request, Tunnel, Observed, Dropped}

func (k Kind) String() string { return [...]string{"request", "tunnel", "observed", "dropped"}[k] }

// Outcome is how one request or one tunnel ended. The log line, the metrics and the
// ledger are all made from it. Each request and each tunnel ends in exactly one.
//
// An upgrade passes it as JSON from the old process to the new one. The JSON contains
// only what the metrics and the ledger need; the old process writes the log line itself.
type Outcome struct {
	Kind   Kind
	Conn   *Conn    `json:"-"` // what is known about the connection
	Client Identity // who called
	ConnID string   `json:"-"` // conn_id in the log
	ID     string   // request_id: of the request or the tunnel
	Caller string   `json:"-"` // the ID that the caller gave the request; "" = none that may be logged

	Start    time.Time
	End      time.Time
	Upstream time.Duration `json:"-"` // until the answer was complete, or until the head of a streamed one

	Ingress Ingress
	Method  string // as Method returns it; "" for a tunnel that no CONNECT opened
	Host    string // normalised, safe to log; "" = none known
	Path    string `json:"-"` // without the query
	APIType string `json:"-"` // SMSPortal's Type, or a SOAP operation, if it is a known one

	Label    string // metrics label "upstream": a configured host or pattern, or one of the underscore words
	Ours     bool   // it was for one of our upstreams
	Misnamed bool   // only its tunnel is for one of our upstreams: Host is what the caller made up instead
	Upgraded bool   // it went upstream, and only tlslift made that possible

	// FallsBack means that the request came in plaintext by an http URL of the host
	// itself. Without whatever leads it here, it would go to the host in plaintext.
	FallsBack bool

	// Setting is the client's setting that led the request here. For a spliced
	// connection, the way in and the hello show it.
	Setting Setting

	Version  Version  // of the client's side
	Cipher   uint16   `json:"-"` // of the client's side; 0 without TLS
	JA4      string   `json:"-"` // of the connection's hello
	Handling Handling // of the connection
	Decision string   `json:"-"` // the action, a word of package decide

	Status        int // of the answer; 0 = none was given
	FromUpstream  bool
	Reason        problem.Reason
	Delivery      problem.Delivery
	Detail        string `json:"-"` // for the log: a fixed text that contains nothing of the caller's
	ClientGone    bool
	RequestBytes  int64 `json:"-"`
	ResponseBytes int64 `json:"-"`

	UpstreamVersion uint16 `json:"-"` // TLS version towards the upstream; 0 = none
	UpstreamReused  bool   `json:"-"` // the upstream connection had served a request before

	UserAgent string       // the raw header; only its family is kept
	Partial   bool         // the head was refused before UserAgent was known
	Exposed   redact.Kinds // secrets that were readable, or weakly protected, on their way here

	// Offer is what the connection's ClientHello offered; nil without one. It shows
	// what the client is capable of, whatever name the client goes by.
	Offer *Offer

	Ending End `json:"-"` // of a tunnel

	// Failure is why a tunnel's handshake failed, or that there was no call.
	Failure HandshakeFailure

	// Observation is what the connection shows about its client. It is reported once:
	// with the first call, or at the end. The hello is reported ahead of it if no
	// call came within 10 seconds.
	Observation *Observation
}

// Insecure reports whether the request came in plaintext or over TLS below 1.2.
func (o *Outcome) Insecure() bool { return o.Version.Insecure() }

// Duration returns how long the request or tunnel took.
func (o *Outcome) Duration() time.Duration { return o.End.Sub(o.Start) }

// Observation is what one connection shows about its client, whatever it carries.
type Observation struct {
	Ours     bool // something on it was for one of our upstreams
	Ingress  Ingress
	Handling Handling
	Version  Version // negotiated; for a refused connection, the highest offered
	Host     string  // what it was for, if no request names a host

	// NoCall means that no call was made on the connection, so it does not show how
	// the client stands. A call is a request or, on a spliced connection, what
	// hello.Turns.Called reports.
	NoCall bool
	// Early means that only the hello is reported so far.
	Early bool
	// Again means that the connection was reported before, and that there was another
	// call.
	Again bool

	// Hello is what its ClientHello offered; nil without one, or if it was reported
	// before.
	Hello *Offer
	// FormerName is the name that the hello was reported under, if the client has got
	// a better one since; "" otherwise.
	FormerName string

	// Failure is why its handshake failed; HandshakeOK if it did not.
	Failure HandshakeFailure
	// AtUpstream means that the handshake was between the client and the upstream: it
	// was spliced.
	AtUpstream bool
	// NoAlert means that the client was shown the certificate, then closed the
	// connection without an alert.
	NoAlert bool
}

// Called reports whether the client made a call on the connection.
func (s *Observation) Called() bool { return !s.NoCall && s.Handling != Refused }

// Offer is what a ClientHello says about its client.
type Offer struct {
	Max      Version // the highest version offered
	SSLv2    bool    // framed as SSL 2.0
	SNI      bool    // it names a server
	Fallback bool    // TLS_FALLBACK_SCSV (RFC 7507): the client can do better than this
	Library  string  // guessed from the hello; "" = unknown

	// WrongName means that it names a host other than the one called.
	WrongName bool
	// ShutOut means that it offers nothing that we, or any current server, could
	// negotiate: SSL 3.0 alone, or only export, DES, DHE or RC4-MD5 suites.
	ShutOut bool

	JA4 string
}
