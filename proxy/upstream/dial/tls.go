package dial

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/contain"
	"tlslift/proxy/problem"
)

// maxSessions limits the TLS sessions kept for one configured upstream. A *.domain
// may cover several hosts.
const maxSessions = 32

// ErrPins is the cause of a failed verification for a chain without a pinned key.
var ErrPins = errors.New("no certificate of the verified chain matches a pin")

// suites are the TLS 1.2 suites that are offered: always with forward secrecy, and
// CBC last for servers that have nothing better. They are listed here, so neither
// GODEBUG nor a new Go release decides. TLS 1.3's cannot be configured.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
}

// TLS holds the TLS settings of one configured upstream, and its sessions for
// resumption.
type TLS struct{ modern, classic *tls.Config }

// NewTLS makes a TLS without sessions. If roots is nil, the system's are used. pins
// are SHA-256 sums of SubjectPublicKeyInfo (RFC 7469 section 2.4): if there are any,
// one must be in the verified chain. certificate may be nil.
func NewTLS(minVersion uint16, roots *x509.CertPool, pins [][sha256.Size]byte, certificate *tls.Certificate) *TLS {
	modern := &tls.Config{
		MinVersion:         minVersion,
		MaxVersion:         tls.VersionTLS13,
		CipherSuites:       slices.Clone(suites),
		CurvePreferences:   []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		NextProtos:         []string{"http/1.1"},
		RootCAs:            roots,
		ClientSessionCache: tls.NewLRUClientSessionCache(maxSessions),
		// A head with a small body takes one record and one system call.
		DynamicRecordSizingDisabled: true,
	}
	if certificate != nil {
		modern.Certificates = []tls.Certificate{*certificate}
	}
	if len(pins) > 0 {
		modern.VerifyConnection = func(cs tls.ConnectionState) error { return checkPins(cs, pins) }
	}
	// The classic hello fits one small segment and contains nothing newer than 2014:
	// some middleboxes drop, and some servers reset, anything else.
	classic := modern.Clone()
	classic.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	classic.MaxVersion = max(minVersion, tls.VersionTLS12)
	classic.ClientSessionCache = tls.NewLRUClientSessionCache(maxSessions)
	return &TLS{modern: modern, classic: classic}
}

// checkPins requires one of the pins in one of the verified chains (RFC 7469 section
// 2.6), for resumed sessions too. Its error contains the first chain.
func checkPins(cs tls.ConnectionState, pins [][sha256.Size]byte) error {
	for _, chain := range cs.VerifiedChains {
		for _, cert := range chain {
			if slices.Contains(pins, sha256.Sum256(cert.RawSubjectPublicKeyInfo)) {
				return nil
			}
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: cs.VerifiedChains[0], Err: ErrPins}
}

// Connect makes a connection for requests, verified if it uses TLS; see Forwards for
// plain HTTP. If a handshake fails for a reason other than the server's certificate,
// it is retried once with the classic hello. The error is an *Error.
func (d *Dialer) Connect(ctx context.Context, t Target, label string, conf *TLS, hellos *Hellos) (c *Conn, err error) {
	err = contain.Do(d.Logger, "make a connection", func() (err error) {
		c, err = d.make(ctx, t, label, conf, hellos)
		return err
	})
	if err != nil {
		return nil, asError(ctx, err, problem.Connect)
	}
	return c, nil
}

// make is Connect without the protection against panics.
func (d *Dialer) make(ctx context.Context, t Target, label string, conf *TLS, hellos *Hellos) (*Conn, error) {
	if t.ServerName.IsZero() {
		c, err := connect(ctx, d, t, label, false, func(_ context.Context, top net.Conn, s *socket) (*Conn, error) {
			tc, _ := top.(*tls.Conn) // if the parent proxy uses TLS
			return newConn(top, s, tc), nil
		})
		if err != nil {
			return nil, asError(ctx, err, problem.Connect)
		}
		return c, nil
	}
	classic, doubted := hellos.next(d.Now())
	if classic {
		c, err := d.secure(ctx, t, label, conf.classic)
		if reason(err) == problem.TLS {
			hellos.doubt(false)
		}
		return c, err
	}
	c, err := d.secure(ctx, t, label, conf.modern)
	if err == nil {
		hellos.doubt(false)
	}
	if reason(err) != problem.TLS {
		return c, err
	}
	d.Observer.ClassicHello(label)
	c, second := d.secure(ctx, t, label, conf.classic)
	switch {
	case reason(second) == problem.TLSVerify:
		return nil, second
	case second != nil: // it fails with any hello
		hellos.doubt(false)
		return nil, err
	case doubted:
		hellos.believe(d.Now())
		d.Logger.Warn("upstream accepts only the classic ClientHello",
			zap.String("upstream", label), zap.Stringer("host", t.ServerName), zap.String("cause", err.Error()))
	default:
		hellos.doubt(true)
	}
	return c, nil
}

// secure makes a verified TLS connection. An address whose handshake fails is treated
// like one that does not connect. The error is an *Error.
func (d *Dialer) secure(ctx context.Context, t Target, label string, conf *tls.Config) (*Conn, error) {
	conf = conf.Clone()
	conf.ServerName = t.ServerName.String()
	c, err := connect(ctx, d, t, label, true, func(ctx context.Context, top net.Conn, s *socket) (*Conn, error) {
		return d.handshake(ctx, label, conf, top, s)
	})
	if err != nil {
		return nil, asError(ctx, err, problem.Connect)
	}
	return c, nil
}

// handshake does a verified TLS handshake over a connection to one address. The error
// is an *Error.
func (d *Dialer) handshake(ctx context.Context, label string, conf *tls.Config, top net.Conn, s *socket) (*Conn, error) {
	start := d.Now()
	hello := &helloConn{Conn: top, loops: d.Loops}
	c := tls.Client(hello, conf)
	err := d.shake(ctx, c, "address and port of the upstream")
	cameBack := hello.done() || s.route.back.Load()
	if err != nil {
		var verification *tls.CertificateVerificationError
		switch {
		case cameBack:
			return nil, &Error{Reason: problem.Loop, Err: errCameBack}
		case errors.As(err, &verification): // no other hello would change that
			return nil, &Error{Reason: problem.TLSVerify, Err: err}
		default:
			return nil, asError(ctx, err, problem.TLS)
		}
	}
	cs := c.ConnectionState()
	d.Observer.Phase(label, call.PhaseTLS, d.Now().Sub(start))
	d.Observer.Handshake(label, cs.Version, cs.CipherSuite, cs.DidResume)
	d.Observer.Certificate(label, cs.PeerCertificates[0].NotAfter)
	made := newConn(c, s, c)
	made.Version = cs.Version
	return made, nil
}
