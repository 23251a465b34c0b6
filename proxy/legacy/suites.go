package legacy

import (
	"crypto/tls"
	"slices"

	"tlslift/proxy/hello"
)

// suites are the cipher suites up to TLS 1.2, by what proves the server: a
// signature on an ephemeral key, or the client's encrypting for ours. crypto/tls
// puts them in its order.
func suites(rc4 bool) (ecdhe, rsa []uint16) {
	ecdhe = []uint16{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA,
	}
	rsa = []uint16{
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	}
	if rc4 {
		ecdhe = append(ecdhe, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA)
		rsa = append(rsa, tls.TLS_RSA_WITH_RC4_128_SHA)
	}
	return append(ecdhe, ecdsaSuites[:]...), rsa
}

// ecdsaSuites are those that sign with an ECDSA key.
var ecdsaSuites = [...]uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
}

// offersECDSA reports whether the client may take a leaf with an ECDSA key: it
// offers one of our suites that sign with it, or TLS 1.3. The rest of its hello
// may still say no.
func offersECDSA(h *hello.ClientHello) bool {
	return h.MaxVersion >= hello.VersionTLS13 || slices.ContainsFunc(ecdsaSuites[:], h.HasCipher)
}

func groups() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
}

// rsaSchemes are the signatures that crypto/tls makes with an RSA key.
var rsaSchemes = [...]tls.SignatureScheme{
	tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512,
	tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512,
}

// signs reports whether the client takes a signature we can make at TLS 1.2.
// Without the extension it takes SHA-1 alone (RFC 5246 7.4.1.4.1).
func signs(h *hello.ClientHello) bool {
	return slices.ContainsFunc(h.SignatureAlgorithms, func(s uint16) bool {
		return slices.Contains(rsaSchemes[:], tls.SignatureScheme(s))
	})
}

const extRenegotiationInfo = 65281 // RFC 5746 3.2

// wantsSHA1 guesses that a client verifies no SHA-256 certificates: a TLS 1.2
// client says so by its signature algorithms; below, those too old for any
// extension are suspected (OpenSSL before 0.9.8o, Windows XP before its third
// service pack).
func wantsSHA1(h *hello.ClientHello) bool {
	if h.Modern() {
		return len(h.SignatureAlgorithms) > 0 && !signs(h)
	}
	for _, e := range h.Extensions {
		if e != extRenegotiationInfo {
			return false
		}
	}
	return true
}
