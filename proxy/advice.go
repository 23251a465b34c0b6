package proxy

import (
	"crypto/tls"
	"errors"
	"slices"

	"tlslift/docs/fixes"
	"tlslift/proxy/authority"
	"tlslift/proxy/call"
	"tlslift/proxy/hello"
	"tlslift/proxy/host"
	"tlslift/proxy/legacy"
)

// adviceFor returns the advice that the log gives about a client that could not get
// in: what the status page shows its owner, and what the operator can do until then.
// silent means that the client left after the handshake without a word.
func adviceFor(o fixes.Obstacle, h *hello.ClientHello, userAgent string, silent bool) string {
	fix := fixes.For(fixes.Client{Obstacle: o, Library: libraryOf(h), Program: programOf(userAgent), Offered: offeredBy(h), Silent: silent})
	if fix.Operator == "" {
		return fix.Sentence
	}
	return fix.Sentence + " " + fix.Operator
}

// adviceSelfTest is for a client whose calls are spliced.
const adviceSelfTest = "The self-test over TLS needs tlslift's root, and the client's calls do not: it offers TLS 1.2 or later. " +
	"Ask http://check.tlslift.test/ instead, or install the root for the test: /ca.pem on the admin address, or `tlslift ca export`."

// needsRootForSelfTest reports whether only tlslift's certificate is in the way, and
// only because the client asked for the self-test over TLS.
func (t *tunnel) needsRootForSelfTest(o fixes.Obstacle) bool {
	return (o == fixes.DistrustsCA || o == fixes.HungUpHere) && t.out.Host == host.SelfTest && t.c.facts.Hello.Modern() && !t.st.terminate[t.c.client.Name]
}

// offeredBy returns the highest version that a hello offers, or "" without a hello.
func offeredBy(h *hello.ClientHello) string {
	if h == nil {
		return ""
	}
	return call.VersionOf(h.MaxVersion).String()
}

// programOf returns the program that a User-Agent names, or "" if it names none we
// know.
func programOf(userAgent string) string {
	if f := call.FamilyOf(userAgent); f != call.FamilyNone && f != call.FamilyOther {
		return f.String()
	}
	return ""
}

// obstacles maps why a handshake with us failed to what stands in the client's way.
var obstacles = map[call.HandshakeFailure]fixes.Obstacle{
	call.HandshakeVersion:          fixes.VersionRefused,
	call.HandshakeNoSharedCipher:   fixes.NoCommonSuite,
	call.HandshakeSignature:        fixes.NoSignature,
	call.HandshakeSSLv2Hello:       fixes.SSLv2Refused,
	call.HandshakeClientRejectedCA: fixes.DistrustsCA,
	call.HandshakeNoServerName:     fixes.NoServerName,
	call.HandshakeNoCall:           fixes.DistrustsCA,
	call.HandshakeClientAlert:      fixes.GaveUp,
	call.HandshakeTimeout:          fixes.TooSlow,
	call.HandshakeEOF:              fixes.HungUp,
	call.HandshakeNotTLS:           fixes.NotTLS,
	call.HandshakeOther:            fixes.Unclear,
}

// obstacleHere returns the obstacle for a client whose handshake with us failed.
func obstacleHere(f call.HandshakeFailure, h *hello.ClientHello) fixes.Obstacle {
	if (f == call.HandshakeVersion || f == call.HandshakeNoSharedCipher) && shutOut(h) {
		return fixes.ShutOut
	}
	if f == call.HandshakeVersion && fellBack(h) {
		return fixes.FellBack
	}
	return obstacles[f]
}

// obstacleBy is like obstacleHere, but takes the error of the handshake.
func obstacleBy(err error, h *hello.ClientHello) fixes.Obstacle {
	if notValid := authority.NotValidError(""); errors.As(err, &notValid) {
		return fixes.CANotValid
	}
	if notPermitted := authority.NotPermittedError(""); errors.As(err, &notPermitted) {
		return fixes.CANotPermitted
	}
	return obstacleHere(legacy.Classify(err), h)
}

// fellBack reports whether the hello is a retry with an old version.
func fellBack(h *hello.ClientHello) bool { return h.FallbackSCSV && !h.Modern() }

// obstacleOf returns what the hello, or its absence, shows about a client that got
// in.
func obstacleOf(c *call.Conn) fixes.Obstacle {
	switch h := c.Hello; {
	case h == nil:
		return fixes.Plaintext
	case h.Modern() && wrongName(c):
		return fixes.NamesWrongHost
	case h.Modern():
		return fixes.Capable
	case h.Framing == hello.SSLv2:
		return fixes.SSLv2Framed
	default:
		return fixes.LegacyOnly
	}
}

// shutOut reports whether the hello offers nothing that crypto/tls could negotiate,
// whatever the settings: SSL 3.0 alone, or only export, DES, DHE or RC4-MD5 suites.
func shutOut(h *hello.ClientHello) bool {
	if h.MaxVersion < tls.VersionTLS10 {
		return true
	}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		if h.HasCipher(suite.ID) {
			return false
		}
	}
	return true
}

// wrongName reports whether the hello names a host other than the one in its CONNECT.
func wrongName(c *call.Conn) bool {
	if c.Hello.ServerName == "" || c.Ingress != call.Connect {
		return false
	}
	name, err := host.Parse(c.Hello.ServerName)
	return err != nil || name != c.Authority
}
