package hello

import "slices"

// Library is a guess at the TLS library that wrote a hello.
type Library struct {
	Name string // e.g. "OpenSSL"; "" if unknown
	Era  string // versions, and what they came with, e.g. "0.9.8"; "" if unknown
}

// String returns the value of the metrics label "library".
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

// Extensions that identify their library.
const (
	extStatusRequest     uint16 = 5
	extStatusRequestV2   uint16 = 17 // JSSE, and wolfSSL if a program asks for it
	extEncryptThenMAC    uint16 = 22 // OpenSSL since 1.1.0, GnuTLS, mbed TLS, wolfSSL, Botan
	extRecordSizeLimit   uint16 = 28 // GnuTLS and NSS
	extSignatureAlgsCert uint16 = 50
)

// Library guesses which library wrote the hello. Marks of a single library come
// first, because two libraries may offer the same suites. Then comes the set of
// suites (JA4's second part), and last the order of the extensions, for programs
// that choose their own suites. A hello that fits several libraries is unknown: a
// wrong name would mislead the owner of a client.
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
// is not conclusive.
func (h *ClientHello) sureMark() libraryID {
	limited := h.HasExtension(extRecordSizeLimit)
	switch {
	case h.HasExtension(extStatusRequestV2) && h.HasExtension(extStatusRequest) && !h.HasExtension(extEncryptThenMAC):
		return javaCurrent
	case h.openSSLFormats() && h.HasExtension(extExtendedMaster):
		return openSSLCurrent
	case limited && (h.HasExtension(extEncryptThenMAC) || h.bySuites() == gnuTLS):
		return gnuTLS // a program may have switched encrypt-then-MAC off
	case limited && h.inOrder(ExtRenegotiationInfo, ExtSupportedGroups):
		return nssCurrent
	default:
		return unknown
	}
}

// suiteCamellia is TLS_RSA_WITH_CAMELLIA_128_CBC_SHA (RFC 5932).
const suiteCamellia uint16 = 0x0041

// suiteFIPS3DES is a suite number that NSS used before it had a standard one.
const suiteFIPS3DES uint16 = 0xfeff

// likelyMark looks at habits: the order of the extensions, how secure renegotiation
// is signalled, and which SSL 2.0 ciphers are offered.
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

// inOrder reports whether the hello has the first extension, and has it before the
// second, which may be missing.
func (h *ClientHello) inOrder(first, second uint16) bool {
	i, j := slices.Index(h.Extensions, first), slices.Index(h.Extensions, second)
	return i >= 0 && (j < 0 || i < j)
}

// openSSLFormats reports whether the point formats are those that only OpenSSL
// lists, if it offers elliptic curves at all.
func (h *ClientHello) openSSLFormats() bool { return slices.Equal(h.PointFormats, []byte{0, 1, 2}) }

// openSSLOrder recognises OpenSSL 1.1.0 or later without elliptic curves by its
// order: ticket, encrypt-then-MAC, extended master secret, signature algorithms.
// mbed TLS, wolfSSL, Botan and GnuTLS send the signature algorithms first.
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

// javaOrder recognises JSSE up to Java 8: groups and formats come first, the server
// name later, and there are no tickets or encrypt-then-MAC.
func (h *ClientHello) javaOrder() bool {
	e := slices.DeleteFunc(slices.Clone(h.Extensions), func(e uint16) bool { return e == extServerName })
	return len(e) >= 2 && e[0] == ExtSupportedGroups && e[1] == ExtPointFormats &&
		h.Extensions[0] == ExtSupportedGroups && !h.SessionTicket && !h.HasExtension(extEncryptThenMAC)
}

// offersGCM reports whether the hello offers an AES-GCM suite (RFC 5288, RFC 5289).
func (h *ClientHello) offersGCM() bool {
	return slices.ContainsFunc(h.CipherSuites, func(s uint16) bool { return 0x009c <= s && s <= 0x00a7 || 0xc02b <= s && s <= 0xc032 })
}

// schannelOrder recognises SChannel since Windows Vista: status_request is among
// the first two extensions and renegotiation_info is the last. Older GnuTLS has
// both, but with encrypt-then-MAC, or with the ticket after the extended master
// secret.
func (h *ClientHello) schannelOrder() bool {
	n := len(h.Extensions)
	return n >= 3 && h.Extensions[n-1] == ExtRenegotiationInfo && h.RecordVersion == h.LegacyVersion &&
		slices.Contains(h.Extensions[:2], extStatusRequest) &&
		!h.HasExtension(extEncryptThenMAC) && (!h.HasExtension(extSessionTicket) || h.inOrder(extSessionTicket, extExtendedMaster))
}

// sslv2Mark distinguishes hellos in SSL 2.0 framing by their SSL 2.0 ciphers. No
// version of JSSE up to the current one has RC2, and only OpenSSL has IDEA. OpenSSL
// has Camellia by default since 1.0.0, as it has elliptic curves, which this
// framing cannot show.
func (h *ClientHello) sslv2Mark() libraryID {
	const idea, rc4Export, rc2Export = 0x050080, 0x020080, 0x040080
	has := func(spec uint32) bool { return slices.Contains(h.SSLv2Ciphers, spec) }
	switch {
	case len(h.CipherSuites) == 0:
		return unknown // SSL 2.0 has no Camellia, so its absence shows nothing
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
