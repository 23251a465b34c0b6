// Package legacy is the TLS server side for clients that cannot speak modern
// TLS. Versions and cipher suites are named one by one, never left to
// defaults or GODEBUG, so a new Go release cannot lock out a client.
//
// A client that offers TLS 1.2 or higher is served at that version, and the
// downgrade signals of RFC 8446 4.1.3 and RFC 7507 are kept. Whether to terminate
// such a client at all is the caller's decision.
package legacy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"

	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy/rehello"
)

// Certificates is a source of leaves; *authority.Authority implements it.
type Certificates interface {
	Leaf(k authority.Kind, n host.Name, extraSANs ...host.Name) (*tls.Certificate, error)
}

// Options holds the settings of a Server.
type Options struct {
	Certificates Certificates
	MinVersion   uint16        // tls.VersionTLS10 to tls.VersionTLS12
	RC4          bool          // accept RC4 suites
	SHA1Leaf     bool          // use SHA-1 signed leaves for clients that can verify nothing else
	SSLv2Hello   bool          // accept hellos in SSL 2.0 framing
	Timeout      time.Duration // of a handshake
	Tickets      *Tickets      // session ticket keys that outlive a reload
	CA           [32]byte      // identifies the CA of Certificates: a session does not resume under another CA
}

// Server performs handshakes. It is safe for concurrent use, and immutable except
// for its ticket keys.
type Server struct {
	options   Options
	base      *tls.Config
	rsaSuites []uint16 // suites without a signature in the handshake
}

// NewServer returns a Server.
func NewServer(o Options) *Server {
	ecdhe, rsa := suites(o.RC4)
	return &Server{
		options: o, rsaSuites: rsa,
		base: &tls.Config{
			MinVersion:       o.MinVersion,
			MaxVersion:       tls.VersionTLS13,
			CipherSuites:     append(ecdhe, rsa...),
			CurvePreferences: groups(),
			// No NextProtos: with them, crypto/tls refuses an old client that
			// offers only http/1.0.
		},
	}
}

// Handshake performs the handshake with a client whose hello h was already read;
// conn must yield the hello's bytes again. The leaf is for name, and also for the
// hello's server name if the CA permits it. If name is zero, the leaf has all
// configured names, and meant comes first if it is known: the oldest clients look
// at nothing else. The handshake fails when ctx ends, or at the server's timeout.
// On success all deadlines are cleared.
//
// On failure the client gets an alert that says why, conn is closed and the error
// is an *Error.
func (s *Server) Handshake(ctx context.Context, conn net.Conn, h *hello.ClientHello, name, meant host.Name) (*tls.Conn, error) {
	if alert, failure := s.judge(h); alert != AlertNone {
		_ = conn.SetDeadline(time.Now().Add(lingerTime))
		Refuse(conn, h, alert)
		return nil, &Error{Alert: AlertNone, Failure: failure, Err: fmt.Errorf("refused with alert %d", alert)}
	}
	config, err := s.config(h, name, meant)
	if err != nil {
		_ = conn.SetDeadline(time.Now().Add(lingerTime))
		Refuse(conn, h, AlertUnrecognizedName)
		return nil, &Error{Alert: AlertNone, Failure: call.HandshakeOther, Err: err}
	}
	if err := conn.SetDeadline(time.Now().Add(s.options.Timeout)); err != nil {
		conn.Close()
		return nil, &Error{Alert: AlertNone, Failure: Classify(err), Err: err}
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
		return nil, e
	}
	raw.established = true
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, &Error{Alert: AlertNone, Failure: Classify(err), Err: err}
	}
	return tlsConn, nil
}

// judge refuses hellos that crypto/tls would accept, or refuse less specifically.
func (s *Server) judge(h *hello.ClientHello) (Alert, call.HandshakeFailure) {
	switch {
	case h.MaxVersion < s.base.MinVersion:
		return AlertProtocolVersion, call.HandshakeVersion
	case h.Framing == hello.SSLv2 && !s.options.SSLv2Hello:
		return AlertProtocolVersion, call.HandshakeSSLv2Hello
	case h.Framing == hello.SSLv2 && s.base.MinVersion > hello.VersionTLS10: // served with TLS 1.0 only
		return AlertProtocolVersion, call.HandshakeVersion
	case h.FallbackSCSV && !h.Modern():
		return AlertInappropriateFallback, call.HandshakeVersion
	default:
		return AlertNone, call.HandshakeOK
	}
}

// config returns the TLS configuration for one client.
func (s *Server) config(h *hello.ClientHello, name, meant host.Name) (*tls.Config, error) {
	kind := authority.RSA
	switch {
	case s.options.SHA1Leaf && wantsSHA1(h):
		kind = authority.RSASHA1
	case offersECDSA(h) && !rehello.Needed(h):
		kind = authority.ECDSA
	}
	var extra []host.Name
	if sni, err := host.Parse(h.ServerName); err == nil && !name.IsZero() {
		extra = []host.Name{sni}
	} else if name.IsZero() && !meant.IsZero() {
		extra = []host.Name{meant}
	}
	cert, err := s.options.Certificates.Leaf(kind, name, extra...)
	if err != nil {
		return nil, fmt.Errorf("get a leaf: %w", err)
	}
	config := s.base.Clone()
	config.Certificates = []tls.Certificate{*cert}
	if kind == authority.ECDSA {
		config.Certificates = nil // if it is set, crypto/tls does not call GetCertificate for a client without SNI
		config.GetCertificate = func(ch *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if ch.SupportsCertificate(cert) != nil {
				return s.options.Certificates.Leaf(authority.RSA, name, extra...)
			}
			return cert, nil
		}
	}
	config.SetSessionTicketKeys(s.options.Tickets.under(s.options.CA))
	s.avoidSignature(config, h)
	return config, nil
}

// avoidSignature adapts config to TLS 1.2 clients that verify only SHA-1
// signatures, which crypto/tls no longer makes. RSA key exchange needs no signature
// in the handshake. TLS 1.1 signs with MD5 and SHA-1 together, but it is a lower
// version, so it is used only if the client offers no RSA key exchange.
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
