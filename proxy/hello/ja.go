package hello

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
	sni := 'i'
	if h.SNI() {
		sni = 'd'
	}
	count := func(list []uint16) int { return min(len(chosen(list)), 99) }
	return fmt.Sprintf("t%s%c%02d%02d%s", ja4Version(h.MaxVersion), sni, count(h.CipherSuites), count(h.Extensions), ja4ALPN(h.ALPN))
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

// chosen returns a copy of the list without GREASE, and without the values to omit.
func chosen(list []uint16, omit ...uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(list), func(v uint16) bool { return grease(v) || slices.Contains(omit, v) })
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
	suites := chosen(h.CipherSuites)
	slices.Sort(suites)
	return ja4Hash(joinHex(suites))
}

// ja4Extensions returns the third part: a hash of the set of extensions and of the
// signature algorithms. SNI and ALPN depend on where and why the client connects, so
// they are omitted.
func (h *ClientHello) ja4Extensions() string {
	extensions := chosen(h.Extensions, extServerName, extALPN)
	slices.Sort(extensions)
	text := joinHex(extensions)
	if algorithms := chosen(h.SignatureAlgorithms); len(algorithms) > 0 {
		text += "_" + joinHex(algorithms)
	}
	return ja4Hash(text)
}

// joinHex returns the values as hexadecimal digits, with commas between them.
func joinHex(list []uint16) string {
	text := make([]byte, 0, 5*len(list))
	for i, v := range list {
		if i > 0 {
			text = append(text, ',')
		}
		text = hex.AppendEncode(text, []byte{byte(v >> 8), byte(v)})
	}
	return string(text)
}

// ja4Hash returns the first 12 hex digits of the SHA-256 of text, or zeros if
// text is empty.
func ja4Hash(text string) string {
	if text == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
