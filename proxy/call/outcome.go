package call

import (
	"time"

	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

// Kind is what an Outcome is the outcome of.
type Kind uint8

// The kinds.
const (
	Request  Kind = iota // one HTTP request that was answered
	Tunnel               // one tunnel, spliced, terminated, relayed or refused
	Observed             // nothing yet: only Outcome.Observation is reported
	Dropped              // a connection that was refused for Reason without a request; a Status says that it was told so
)

// Outcome is how one request or one tunnel ended: the one value that the log
// line, the metrics and the ledger are made from. Each request and each tunnel
// ends in exactly one.
type Outcome struct {
	Kind   Kind
	Conn   *Conn    // what is known of the connection
	Client Identity // who called
	ConnID string   // conn_id in the log
	ID     string   // request_id: of the request, or of the tunnel's CONNECT
	Caller string   // the id that the caller gave the request; "" = none that may be logged

	Start    time.Time
	End      time.Time
	Upstream time.Duration // until the answer was held, or until its head for a streamed one

	Ingress Ingress
	Method  string // as Method has it; "" for a tunnel that no CONNECT opened
	Host    string // normalised, safe to log; "" = none known
	Path    string // without the query
	APIType string // SMSPortal's Type, or a SOAP operation, when it is a known one

	Label    string // metrics label "upstream": a configured host or pattern, or one of the underscore words
	Ours     bool   // it was for one of our upstreams
	Misnamed bool   // it is for one of them by its tunnel alone: Host is what the caller made up instead
	Upgraded bool   // a request that went upstream and that only tlslift made possible

	// FallsBack says that the request came in clear by an http URL of the host's
	// own: whatever led it here, without that it goes there in clear.
	FallsBack bool

	// Setting is what in the client led the request here. Of a spliced connection
	// the way in and the hello show it.
	Setting Setting

	Version  Version  // of the client's side
	Cipher   uint16   // of the client's side, 0 in clear
	JA4      string   // of the connection's hello
	Handling Handling // of the connection
	Decision string   // what was decided: a word of package decide

	Status        int // of the answer; 0 = none was given
	FromUpstream  bool
	Reason        problem.Reason
	Delivery      problem.Delivery
	Detail        string // for the log: a closed text that carries nothing of the caller's
	ClientGone    bool
	RequestBytes  int64
	ResponseBytes int64

	UpstreamVersion uint16 // TLS version towards the upstream, 0 = none
	UpstreamReused  bool   // the upstream connection had served a request before

	UserAgent string       // the raw header; only its family is kept
	Exposed   redact.Kinds // secrets that were readable, or weakly protected, on the way here

	// Offer is what the connection's ClientHello offered; nil without one. It
	// says what its client could do, by whatever name the client goes.
	Offer *Offer

	Ending End // of a tunnel

	// Failure is why a tunnel's handshake failed, or that there was no call.
	Failure HandshakeFailure

	// Observation is what the connection shows of its client. It is reported once:
	// with the first call, or at the end. Its hello goes ahead if there was no
	// call for 10 seconds.
	Observation *Observation
}

// Insecure reports whether the request came in clear or over TLS below 1.2.
func (o *Outcome) Insecure() bool { return o.Version.Insecure() }

// Duration is how long the request or tunnel took.
func (o *Outcome) Duration() time.Duration { return o.End.Sub(o.Start) }

// Observation is what one connection shows of its client, whatever it carries.
type Observation struct {
	Ours     bool // something on it was for one of our upstreams
	Ingress  Ingress
	Handling Handling
	Version  Version // negotiated; of a refused connection, the highest offered
	Host     string  // that it was for, when no request names one

	// NoCall says that the connection shows nothing of how the client stands: no
	// call was made on it. A call is a request, or on a spliced connection what
	// hello.Called says.
	NoCall bool
	// Early says that only the hello is reported so far.
	Early bool
	// Again says that the connection was reported before, and that there was
	// another call.
	Again bool

	// Hello is what its ClientHello offered; nil without one, or when it was
	// handed over before.
	Hello *Offer
	// FormerName is the name that the hello was handed over under, if the client has
	// got a better one since; "" otherwise.
	FormerName string

	// Failure is why its handshake failed; HandshakeOK if it did not.
	Failure HandshakeFailure
	// AtUpstream says that the handshake was one between the client and the
	// upstream, spliced.
	AtUpstream bool
	// NoAlert says that the client had been shown the certificate, and closed
	// the connection without a word.
	NoAlert bool
}

// Called reports whether the client made a call on the connection.
func (s *Observation) Called() bool { return !s.NoCall && s.Handling != Refused }

// Offer is what a ClientHello says of its client.
type Offer struct {
	Max      Version // the highest version offered
	SSLv2    bool    // framed as SSL 2.0
	SNI      bool    // it names a server
	Fallback bool    // TLS_FALLBACK_SCSV (RFC 7507): the client can do better than it offers
	Library  string  // guessed from the hello; "" = unknown

	// WrongName says that it names another host than the one it calls.
	WrongName bool
	// ShutOut says that it offers nothing that we, or any current server, could
	// agree to: SSL 3.0 alone, or only export, DES, DHE or RC4-MD5 suites.
	ShutOut bool

	JA4 string
}
