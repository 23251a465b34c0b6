package hello

import "slices"

// Library is a guess at the TLS library that wrote a hello.
type Library struct {
	Name string // e.g. "OpenSSL"; "" = unknown
	Era  string // versions, and what they came with, e.g. "0.9.8"; "" = not known
}

// String is the value of the metrics label "library".
func (l Library) String() string {
	switch {
	case l.Name == "":
		return "unknown"
	case l.Era == "":
		return l.Name
	default:
		return l.Name + " " + l.Era
	}
}

// Extensions that betray their library.
const (
	extStatusRequest     uint16 = 5
	extStatusRequestV2   uint16 = 17 // JSSE, and wolfSSL where a program asks for it
	extEncryptThenMAC    uint16 = 22 // OpenSSL since 1.1.0, GnuTLS, mbed TLS, wolfSSL, Botan
	extRecordSizeLimit   uint16 = 28 // GnuTLS and NSS
	extSignatureAlgsCert uint16 = 50
	extRenegotiationInfo uint16 = 65281
)

// Library guesses who wrote the hello. Marks that only one library leaves come
// first, because two that offer the same suites would be confused by those;
// then the set of suites, JA4's second part; then the order of the extensions,
// for programs that choose suites of their own. What fits several libraries is
// unknown: a wrong name sends the owner of a client the wrong way.
func (h *ClientHello) Library() Library {
	if id := h.sureMark(); id != unknown {
		return libraries[id]
	}
	if id := h.bySuites(); id != unknown {
		return libraries[id]
	}
	return libraries[h.likelyMark()]
}

// sureMark looks at extensions that only one library has. Encrypt-then-MAC alone
// shows nothing.
func (h *ClientHello) sureMark() libraryID {
	limited := h.HasExtension(extRecordSizeLimit)
	switch {
	case h.HasExtension(extStatusRequestV2) && h.HasExtension(extStatusRequest) && !h.HasExtension(extEncryptThenMAC):
		return javaCurrent
	case h.openSSLFormats() && h.HasExtension(extExtendedMaster):
		return openSSLCurrent
	case limited && (h.HasExtension(extEncryptThenMAC) || h.bySuites() == gnuTLS):
		return gnuTLS // a program may have switched encrypt-then-MAC off
	case limited && h.inOrder(extRenegotiationInfo, extSupportedGroups):
		return nssCurrent
	default:
		return unknown
	}
}

// suiteCamellia is TLS_RSA_WITH_CAMELLIA_128_CBC_SHA (RFC 5932).
const suiteCamellia uint16 = 0x0041

// suiteFIPS3DES is a suite number that NSS used before it had a standard one.
const suiteFIPS3DES uint16 = 0xfeff

// likelyMark looks at habits: the order of the extensions, how the renegotiation
// signal is given, which SSL 2.0 ciphers come along.
func (h *ClientHello) likelyMark() libraryID {
	if h.Framing == SSLv2 {
		return h.sslv2Mark()
	}
	signal := h.HasCipher(RenegotiationSCSV)
	switch {
	case h.HasCipher(suiteFIPS3DES):
		return nss3
	case h.openSSLFormats():
		return openSSL10
	case h.openSSLOrder():
		return openSSLCurrent
	case h.javaOrder() && signal && h.Modern() && h.offersGCM():
		return java8 // Java 7 has no such suites
	case h.javaOrder() && signal:
		return java
	case h.schannelOrder() && !signal && h.Modern():
		return schannel10
	case h.schannelOrder() && !signal:
		return schannel
	default:
		return unknown
	}
}

// inOrder reports whether the first extension is there and comes before the
// second, which may be missing.
func (h *ClientHello) inOrder(first, second uint16) bool {
	i, j := slices.Index(h.Extensions, first), slices.Index(h.Extensions, second)
	return i >= 0 && (j < 0 || i < j)
}

// openSSLFormats knows the point formats that OpenSSL alone lists, when it
// offers elliptic curves at all.
func (h *ClientHello) openSSLFormats() bool { return slices.Equal(h.PointFormats, []byte{0, 1, 2}) }

// openSSLOrder knows OpenSSL since 1.1.0 without elliptic curves: the ticket,
// encrypt-then-MAC, the extended master secret, the signature algorithms. In
// mbed TLS, wolfSSL, Botan and GnuTLS the last come first.
func (h *ClientHello) openSSLOrder() bool {
	i := slices.Index(h.Extensions, extEncryptThenMAC)
	if i < 1 || i+1 >= len(h.Extensions) || h.Extensions[i+1] != extExtendedMaster {
		return false
	}
	if h.Modern() && !h.inOrder(extExtendedMaster, extSignatureAlgorithms) {
		return false
	}
	return h.inOrder(extSessionTicket, extEncryptThenMAC)
}

// javaOrder knows JSSE up to Java 8: groups and formats come first, the name
// last, tickets and encrypt-then-MAC never.
func (h *ClientHello) javaOrder() bool {
	e := slices.DeleteFunc(slices.Clone(h.Extensions), func(e uint16) bool { return e == extServerName })
	return len(e) >= 2 && e[0] == extSupportedGroups && e[1] == extPointFormats &&
		h.Extensions[0] == extSupportedGroups && !h.SessionTicket && !h.HasExtension(extEncryptThenMAC)
}

// offersGCM reports whether a suite with AES-GCM (RFC 5288, RFC 5289) is there.
func (h *ClientHello) offersGCM() bool {
	return slices.ContainsFunc(h.CipherSuites, func(s uint16) bool { return 0x009c <= s && s <= 0x00a7 || 0xc02b <= s && s <= 0xc032 })
}

// schannelOrder knows SChannel since Windows Vista: a status request near the
// start, renegotiation_info as the last extension. Older GnuTLS has both, with
// encrypt-then-MAC, or else the ticket behind the extended master secret.
func (h *ClientHello) schannelOrder() bool {
	n := len(h.Extensions)
	return n >= 3 && h.Extensions[n-1] == extRenegotiationInfo && h.RecordVersion == h.LegacyVersion &&
		slices.Contains(h.Extensions[:2], extStatusRequest) &&
		!h.HasExtension(extEncryptThenMAC) && (!h.HasExtension(extSessionTicket) || h.inOrder(extSessionTicket, extExtendedMaster))
}

// sslv2Mark distinguishes SSL 2.0 framed hellos by their SSL 2.0 ciphers: JSSE never
// had RC2, in any version up to the current one, and OpenSSL alone has IDEA. Camellia is compiled in by
// default since 1.0.0 (and elliptic curves, which this framing leaves out).
func (h *ClientHello) sslv2Mark() libraryID {
	const idea, rc4Export, rc2Export = 0x050080, 0x020080, 0x040080
	has := func(spec uint32) bool { return slices.Contains(h.SSLv2Ciphers, spec) }
	switch {
	case has(idea) && h.HasCipher(suiteCamellia):
		return openSSL10
	case has(idea):
		return openSSL098
	case h.HasCipher(0x0062) || h.HasCipher(0x0064):
		return schannelXP
	case !has(rc2Export) && (has(rc4Export) || has(0x0700c0)):
		return java
	default:
		return unknown
	}
}
