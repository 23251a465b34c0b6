package hello

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
)

// JA4 returns the JA4 TLS client fingerprint (FoxIO, BSD 3-Clause; no other method
// of JA4+ is used here), for example "t13d1516h2_8daaf6152771_e5627efa2ab1".
func (h *ClientHello) JA4() string {
	return h.ja4Prefix() + "_" + h.ja4Ciphers() + "_" + h.ja4Extensions()
}

// ja4Prefix returns the readable first part: transport, version, whether there is
// SNI, the numbers of suites and extensions, and the first ALPN protocol.
func (h *ClientHello) ja4Prefix() string {
	b := make([]byte, 0, 10)
	b = append(b, 't')
	b = append(b, ja4Version(h.MaxVersion)...)
	if h.SNI() {
		b = append(b, 'd')
	} else {
		b = append(b, 'i')
	}
	b = appendCount(b, h.CipherSuites)
	b = appendCount(b, h.Extensions)
	return string(append(b, ja4ALPN(h.ALPN)...))
}

func ja4Version(v uint16) string {
	switch v {
	case VersionTLS13:
		return "13"
	case VersionTLS12:
		return "12"
	case VersionTLS11:
		return "11"
	case VersionTLS10:
		return "10"
	case VersionSSL3:
		return "s3"
	case VersionSSL2:
		return "s2"
	default:
		return "00"
	}
}

// appendCount appends the number of values in list that are not GREASE, as two
// digits.
func appendCount(b []byte, list []uint16) []byte {
	n := 0
	for _, v := range list {
		if !grease(v) {
			n++
		}
	}
	n = min(n, 99)
	return append(b, byte('0'+n/10), byte('0'+n%10))
}

// ja4ALPN returns the first and last character of the first protocol or, if either
// is not alphanumeric, those of its hexadecimal form.
func ja4ALPN(protos []string) string {
	if len(protos) == 0 || protos[0] == "" {
		return "00"
	}
	p := protos[0]
	if !alphanumeric(p[0]) || !alphanumeric(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return string([]byte{p[0], p[len(p)-1]})
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// ja4Ciphers returns the second part of JA4: a hash of the set of suites,
// independent of their order. It identifies the library rather than the
// application.
func (h *ClientHello) ja4Ciphers() string {
	return ja4Hash(appendSorted(make([]byte, 0, 5*len(h.CipherSuites)), h.CipherSuites, false))
}

func (h *ClientHello) ja4Extensions() string {
	if len(h.Extensions) == 0 {
		return ja4Hash(nil)
	}
	b := make([]byte, 0, 5*(len(h.Extensions)+len(h.SignatureAlgorithms)))
	b = appendSorted(b, h.Extensions, true)
	sep := byte('_')
	for _, v := range h.SignatureAlgorithms {
		if !grease(v) {
			b = appendHex(append(b, sep), v)
			sep = ','
		}
	}
	return ja4Hash(b)
}

// appendSorted appends the values in ascending order, without GREASE. For
// extensions it also omits SNI and ALPN, which depend on where and why the client
// connects.
func appendSorted(b []byte, list []uint16, extensions bool) []byte {
	var room [64]uint16
	sorted := append(room[:0], list...)
	slices.Sort(sorted)
	for _, v := range sorted {
		if grease(v) || extensions && (v == extServerName || v == extALPN) {
			continue
		}
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = appendHex(b, v)
	}
	return b
}

func appendHex(b []byte, v uint16) []byte {
	const digits = "0123456789abcdef"
	return append(b, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
}

// ja4Hash returns the first 12 hex digits of the SHA-256 of b, or zeros if b is
// empty.
func ja4Hash(b []byte) string {
	if len(b) == 0 {
		return "000000000000"
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:6])
}
