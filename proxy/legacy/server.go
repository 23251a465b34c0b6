// Package legacy is the TLS server side for clients that cannot speak modern
// TLS. Versions and cipher suites are named one by one, never left to
// defaults or GODEBUG, so a new Go release cannot lock out a client.
//
// It serves a client that offers TLS 1.2 or higher at that, and keeps the
// downgrade signals of RFC 8446 4.1.3 and RFC 7507: whether such a client
// should be terminated at all is the caller's decision.
package legacy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy/rehello"
)

// Certificates is where leaves come from; *authority.Authority is one.
type Certificates interface {
	Leaf(n host.Name, extraSANs ...host.Name) (*tls.Certificate, error)
	LeafSHA1(n host.Name, extraSANs ...host.Name) (*tls.Certificate, error)
	LeafECDSA(n host.Name, extraSANs ...host.Name) (*tls.Certificate, error)
}

// defaultTimeout bounds a handshake unless Options says otherwise.
const defaultTimeout = 10 * time.Second

// Options is what a Server is made with.
type Options struct {
	Certificates Certificates
	MinVersion   uint16        // tls.VersionTLS10 to tls.VersionTLS12; 0 = TLS 1.0
	RC4          bool          // offer RC4 suites, last
	SHA1Leaf     bool          // SHA-1 signed leaves for clients that can verify nothing else
	SSLv2Hello   bool          // accept hellos in SSL 2.0 framing
	Timeout      time.Duration // of a handshake; 0 = defaultTimeout
	Tickets      *Tickets      // session ticket keys, to outlive a reload; nil = new ones
	CA           [32]byte      // distinguishes the CA of Certificates from others: sessions do not resume under another
}

// Server does handshakes. It is safe for concurrent use and immutable but for
// its ticket keys.
type Server struct {
	certs      Certificates
	base       *tls.Config
	rsaSuites  []uint16 // without those that sign in the handshake
	sha1Leaf   bool
	sslv2Hello bool
	timeout    time.Duration
	tickets    *Tickets
	ca         [32]byte
}

// Result is what was negotiated.
type Result struct {
	Version     uint16
	CipherSuite uint16
	Resumed     bool
}

// NewServer checks the options and makes a Server.
func NewServer(o Options) (*Server, error) {
	if o.Certificates == nil {
		return nil, errors.New("legacy TLS server: no source of certificates")
	}
	if o.MinVersion == 0 {
		o.MinVersion = tls.VersionTLS10
	}
	if o.MinVersion < tls.VersionTLS10 || o.MinVersion > tls.VersionTLS12 {
		return nil, fmt.Errorf("legacy TLS server: minimum version %#x is none of TLS 1.0 to 1.2", o.MinVersion)
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Tickets == nil {
		o.Tickets = NewTickets(nil, TicketKeys{})
	}
	ecdhe, rsa := suites(o.RC4)
	return &Server{
		certs: o.Certificates, rsaSuites: rsa, sha1Leaf: o.SHA1Leaf, sslv2Hello: o.SSLv2Hello,
		timeout: o.Timeout, tickets: o.Tickets, ca: o.CA,
		base: &tls.Config{
			MinVersion:       o.MinVersion,
			MaxVersion:       tls.VersionTLS13,
			CipherSuites:     append(ecdhe, rsa...),
			CurvePreferences: groups(),
			// No NextProtos: an old client that offers only http/1.0 would be
			// refused because there is no common protocol.
		},
	}, nil
}

// Handshake serves one client whose hello was read already; conn yields the
// hello's bytes again. The leaf is for name, with the name of the hello as a
// second one if the CA permits it; no name asks for the leaf with all
// configured names, of which the one that is meant, if it is known, comes first:
// the oldest clients look at nothing else. The handshake ends with the context, or at the server's
// timeout; then all deadlines are cleared.
//
// On failure the client gets the proper alert, conn is closed and the error
// is an *Error.
func (s *Server) Handshake(ctx context.Context, conn net.Conn, h *hello.ClientHello, name, meant host.Name) (*tls.Conn, Result, error) {
	if alert, failure := s.judge(h); alert != AlertNone {
		_ = conn.SetDeadline(time.Now().Add(lingerTime))
		Refuse(conn, h, alert)
		return nil, Result{}, &Error{Alert: AlertNone, Failure: failure, Err: fmt.Errorf("refused with alert %d", alert)}
	}
	config, err := s.config(h, name, meant)
	if err != nil {
		_ = conn.SetDeadline(time.Now().Add(lingerTime))
		Refuse(conn, h, AlertUnrecognizedName)
		return nil, Result{}, &Error{Alert: AlertNone, Failure: call.HandshakeOther, Err: err}
	}
	if err := conn.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		conn.Close()
		return nil, Result{}, &Error{Alert: AlertNone, Failure: Classify(err), Err: err}
	}
	raw := &singleAlert{Conn: conn}
	if rehello.Needed(h) {
		raw.Conn = rehello.Wrap(conn, h, config)
	}
	tlsConn := tls.Server(raw, config)
	if err := tlsConn.HandshakeContext(ctx); err != nil {
		e := newError(err)
		if number, found := raw.client.Number(); found && e.Alert == AlertNone {
			e = &Error{Failure: alertFailure(Alert(number)), Alert: Alert(number), Err: fmt.Errorf("remote error: %w", tls.AlertError(number))}
		}
		e.Presented = raw.answered
		if raw.alerted() {
			linger(conn)
		}
		conn.Close()
		return nil, Result{}, e
	}
	raw.established = true
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, Result{}, &Error{Alert: AlertNone, Failure: Classify(err), Err: err}
	}
	state := tlsConn.ConnectionState()
	return tlsConn, Result{Version: state.Version, CipherSuite: state.CipherSuite, Resumed: state.DidResume}, nil
}

// judge refuses what crypto/tls would refuse with less to say, or not at all.
func (s *Server) judge(h *hello.ClientHello) (Alert, call.HandshakeFailure) {
	switch {
	case h.MaxVersion < s.base.MinVersion:
		return AlertProtocolVersion, call.HandshakeVersion
	case h.Framing == hello.SSLv2 && !s.sslv2Hello:
		return AlertProtocolVersion, call.HandshakeSSLv2Hello
	case h.Framing == hello.SSLv2 && s.base.MinVersion > hello.VersionTLS10: // served TLS 1.0 alone
		return AlertProtocolVersion, call.HandshakeVersion
	case h.FallbackSCSV && !h.Modern():
		return AlertInappropriateFallback, call.HandshakeVersion
	default:
		return AlertNone, call.HandshakeOK
	}
}

// config is the configuration for one client.
func (s *Server) config(h *hello.ClientHello, name, meant host.Name) (*tls.Config, error) {
	leaf, ecdsa := s.certs.Leaf, false
	switch {
	case s.sha1Leaf && wantsSHA1(h):
		leaf = s.certs.LeafSHA1
	case offersECDSA(h) && !rehello.Needed(h):
		leaf, ecdsa = s.certs.LeafECDSA, true
	}
	var extra []host.Name
	if sni, err := host.Parse(h.ServerName); err == nil && !name.IsZero() {
		extra = []host.Name{sni}
	} else if name.IsZero() && !meant.IsZero() {
		extra = []host.Name{meant}
	}
	cert, err := leaf(name, extra...)
	if err != nil {
		return nil, fmt.Errorf("get a leaf: %w", err)
	}
	config := s.base.Clone()
	config.Certificates = []tls.Certificate{*cert}
	if ecdsa {
		config.Certificates = nil // with one, GetCertificate is not asked for a caller that names no host
		config.GetCertificate = func(ch *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if ch.SupportsCertificate(cert) != nil {
				return s.certs.Leaf(name, extra...)
			}
			return cert, nil
		}
	}
	config.SetSessionTicketKeys(s.tickets.under(s.ca))
	s.avoidSignature(config, h)
	return config, nil
}

// avoidSignature serves TLS 1.2 clients that verify only SHA-1 signatures,
// which crypto/tls no longer makes: with RSA key exchange nothing is signed in
// the handshake, and TLS 1.1 signs with MD5 and SHA-1 together. The price of
// the latter, a lower version, is paid only where nothing else is left.
func (s *Server) avoidSignature(config *tls.Config, h *hello.ClientHello) {
	if h.MaxVersion != hello.VersionTLS12 || signs(h) {
		return
	}
	for _, suite := range s.rsaSuites {
		if h.HasCipher(suite) {
			config.CipherSuites = s.rsaSuites
			return
		}
	}
	if config.MinVersion < tls.VersionTLS12 {
		config.MaxVersion = tls.VersionTLS11
	}
}
