package proxy

import (
	"tlslift/docs/fixes"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// adviceFor is what the log says about a client that could not get in: the same
// as the status page, for its owner, and what the operator can do until then.
func adviceFor(o fixes.Obstacle, h *hello.ClientHello, userAgent string) string {
	fix := fixes.For(fixes.Client{Obstacle: o, Library: libraryOf(h), Program: programOf(userAgent)})
	if fix.Operator == "" {
		return fix.Sentence
	}
	return fix.Sentence + " " + fix.Operator
}

// programOf is the program that a User-Agent shows; "" when there is none.
func programOf(userAgent string) string {
	if f := call.FamilyOf(userAgent); f != call.FamilyNone && f != call.FamilyOther {
		return f.String()
	}
	return ""
}

// obstacleHere is what stands between us and a client whose handshake with us
// failed.
func obstacleHere(f call.HandshakeFailure) fixes.Obstacle {
	switch {
	case f == call.HandshakeVersion:
		return fixes.VersionRefused
	case f == call.HandshakeNoSharedCipher:
		return fixes.NoCommonSuite
	case f == call.HandshakeSignature:
		return fixes.NoSignature
	case f == call.HandshakeSSLv2Hello:
		return fixes.SSLv2Refused
	case f == call.HandshakeClientRejectedCA:
		return "distrusts-ca"
	case f == call.HandshakeClientAlert:
		return fixes.GaveUp
	case f == call.HandshakeTimeout:
		return fixes.TooSlow
	case f == call.HandshakeEOF:
		return fixes.HungUp
	case f == call.HandshakeNotTLS:
		return fixes.NotTLS
	default:
		return fixes.Unclear
	}
}

// obstacleOf is what the hello, or its absence, shows of a client that got in.
func obstacleOf(c *call.Conn) fixes.Obstacle {
	switch h := c.Hello; {
	case h == nil:
		return "plaintext"
	case h.Modern():
		return "capable"
	case h.Framing == hello.SSLv2:
		return "sslv2-framed"
	default:
		return "legacy-only"
	}
}
