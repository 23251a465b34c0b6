package upstream

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"net"
	"slices"
	"time"

	"tlslift/proxy/problem"
)

// sessionsPerHost bounds the TLS sessions kept for one configured upstream,
// which *.domain makes several hosts of.
const sessionsPerHost = 32

// suites are the TLS 1.2 suites that are offered: forward secrecy always, CBC
// last for servers that have nothing better. They are named so that neither
// GODEBUG nor a new Go decides. TLS 1.3's cannot be configured.
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

// tlsConfigs are a host's two ways of saying hello.
type tlsConfigs struct {
	modern, classic *tls.Config
}

func newTLSConfigs(h *Host, minVersion uint16) tlsConfigs {
	modern := &tls.Config{
		MinVersion:         minVersion,
		MaxVersion:         tls.VersionTLS13,
		CipherSuites:       slices.Clone(suites),
		CurvePreferences:   []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521},
		NextProtos:         []string{"http/1.1"},
		RootCAs:            h.Roots,
		ClientSessionCache: tls.NewLRUClientSessionCache(sessionsPerHost),
		Renegotiation:      tls.RenegotiateNever,
		// A head with a small body is one record and one system call.
		DynamicRecordSizingDisabled: true,
	}
	if c := h.ClientCertificate; c != nil {
		modern.Certificates = []tls.Certificate{*c}
	}
	if pins := h.Pins; len(pins) > 0 {
		modern.VerifyConnection = func(cs tls.ConnectionState) error { return checkPins(cs, pins) }
	}
	// The classic hello fits one small segment and names nothing younger than
	// 2014: some middleboxes drop, and some servers reset, anything else.
	classic := modern.Clone()
	classic.CurvePreferences = []tls.CurveID{tls.X25519, tls.CurveP256}
	classic.MaxVersion = max(minVersion, tls.VersionTLS12)
	classic.ClientSessionCache = tls.NewLRUClientSessionCache(sessionsPerHost)
	return tlsConfigs{modern: modern, classic: classic}
}

// checkPins wants one of the pins in one of the verified chains (RFC 7469
// 2.6). It is called for resumed sessions too.
func checkPins(cs tls.ConnectionState, pins [][]byte) error {
	for _, chain := range cs.VerifiedChains {
		for _, cert := range chain {
			sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
			if slices.ContainsFunc(pins, func(pin []byte) bool { return string(pin) == string(sum[:]) }) {
				return nil
			}
		}
	}
	return errPins
}

// handshake makes a verified TLS connection over c, whose socket is s. On an
// error s is closed.
func (t *Transport) handshake(ctx context.Context, c net.Conn, s *socket, conf *tls.Config, name, label string) (*tls.Conn, time.Duration, error) {
	st := t.state.Load()
	ctx, cancel := context.WithTimeout(ctx, st.opts.TLSTimeout)
	defer cancel()
	conf = conf.Clone()
	conf.ServerName = name
	s.sniff = true
	start := t.now()
	conn := tls.Client(c, conf)
	err := conn.HandshakeContext(ctx)
	s.sniff = false
	s.helloDone()
	took := t.now().Sub(start)
	if err != nil {
		_ = s.Close()
		switch {
		case s.cameBack():
			return nil, took, notSent(problem.Loop, errCameBack)
		case verifyFailed(err):
			return nil, took, notSent(problem.TLSVerify, err)
		default:
			return nil, took, notSent(problem.TLS, err)
		}
	}
	cs := conn.ConnectionState()
	st.opts.Observer.Phase(label, PhaseTLS, took)
	st.opts.Observer.Handshake(label, cs.Version, cs.CipherSuite, cs.DidResume)
	if len(cs.PeerCertificates) > 0 {
		st.opts.Observer.Certificate(label, cs.PeerCertificates[0].NotAfter)
	}
	return conn, took, nil
}
