package hello

import "slices"

// Library is a guess at the TLS library that wrote a hello.
type Library struct {
	Name   string // e.g. "OpenSSL"; "" = unknown
	Era    string // versions, and what they came with, e.g. "0.9.8"
	Advice string // one sentence: what to upgrade
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
	extStatusRequestV2   uint16 = 17 // JSSE alone offers it
	extEncryptThenMAC    uint16 = 22 // OpenSSL since 1.1.0, GnuTLS, mbed TLS
	extRecordSizeLimit   uint16 = 28 // GnuTLS and NSS
	extSignatureAlgsCert uint16 = 50
	extRenegotiationInfo uint16 = 65281
)

// Library guesses who wrote the hello. Marks that only one library leaves come
// first, because two that offer the same suites would be confused by those;
// then the set of suites, JA4's second part; then marks that are likely
// rather than certain, for programs that choose suites of their own.
func (h *ClientHello) Library() Library {
	if id := h.sureMark(); id != unknown {
		return libraries[id]
	}
	if id := h.bySuites(); id != unknown {
		return libraries[id]
	}
	return libraries[h.likelyMark()]
}

// sureMark goes by extensions that only one library has.
func (h *ClientHello) sureMark() libraryID {
	switch {
	case h.HasExtension(extStatusRequestV2):
		return javaCurrent
	case h.HasExtension(extEncryptThenMAC) && slices.Equal(h.PointFormats, []byte{0, 1, 2}):
		return openSSLCurrent
	case h.HasExtension(extRecordSizeLimit) && (h.HasExtension(extEncryptThenMAC) || h.bySuites() == gnuTLS):
		return gnuTLS // a program may have switched encrypt-then-MAC off
	case h.HasExtension(extRecordSizeLimit):
		return nssCurrent
	default:
		return unknown
	}
}

// suiteCamellia is TLS_RSA_WITH_CAMELLIA_128_CBC_SHA (RFC 5932).
const suiteCamellia uint16 = 0x0041

// suiteFIPS3DES is a suite number that NSS used before it had a standard one.
const suiteFIPS3DES uint16 = 0xfeff

// likelyMark goes by habits: which extensions come last, how the renegotiation
// signal is given, which SSL 2.0 ciphers come along.
func (h *ClientHello) likelyMark() libraryID {
	if h.Framing == SSLv2 {
		return h.sslv2Mark()
	}
	signal := h.HasCipher(RenegotiationSCSV)
	switch {
	case h.HasCipher(suiteFIPS3DES):
		return nss3
	case slices.Equal(h.PointFormats, []byte{0, 1, 2}):
		return openSSL10
	case h.HasExtension(extEncryptThenMAC):
		return openSSLCurrent
	case h.javaOrder() && signal && !h.Modern():
		return java7
	case h.javaOrder() && signal:
		return java8
	case h.schannelOrder() && !signal && h.Modern():
		return schannel10
	case h.schannelOrder() && !signal:
		return schannelNET
	default:
		return unknown
	}
}

// javaOrder knows JSSE up to Java 8: groups and formats come first, the name
// last, tickets never.
func (h *ClientHello) javaOrder() bool {
	e := slices.DeleteFunc(slices.Clone(h.Extensions), func(e uint16) bool { return e == extServerName })
	return len(e) >= 2 && e[0] == extSupportedGroups && e[1] == extPointFormats &&
		h.Extensions[0] == extSupportedGroups && !h.SessionTicket
}

// schannelOrder knows SChannel since Windows 7: a status request near the
// start, renegotiation_info as the last extension.
func (h *ClientHello) schannelOrder() bool {
	n := len(h.Extensions)
	return n >= 3 && h.Extensions[n-1] == extRenegotiationInfo && h.RecordVersion == h.LegacyVersion &&
		slices.Contains(h.Extensions[:2], extStatusRequest)
}

// sslv2Mark tells SSL 2.0 framed hellos by their SSL 2.0 ciphers: JSSE never
// had the export ones, and OpenSSL alone has IDEA. Camellia is compiled in by
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
		return java6
	default:
		return unknown
	}
}
