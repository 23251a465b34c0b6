package legacy

import (
	"crypto/tls"
	"slices"

	"tlslift/proxy/hello"
)

// suites returns the cipher suites up to TLS 1.2, by how the server proves its
// identity: it signs an ephemeral key, or decrypts with its RSA key. crypto/tls
// orders the suites itself.
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

// ecdsaSuites are the suites that sign with an ECDSA key.
var ecdsaSuites = [...]uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
}

// offersECDSA reports whether the client may accept a leaf with an ECDSA key: it
// offers one of ecdsaSuites, or TLS 1.3. The rest of its hello may still rule that
// out.
func offersECDSA(h *hello.ClientHello) bool {
	return h.MaxVersion >= hello.VersionTLS13 || slices.ContainsFunc(ecdsaSuites[:], h.HasCipher)
}

func groups() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}
}

// rsaSchemes are the signature schemes that crypto/tls uses with an RSA key.
var rsaSchemes = [...]tls.SignatureScheme{
	tls.PKCS1WithSHA256, tls.PKCS1WithSHA384, tls.PKCS1WithSHA512,
	tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512,
}

// signs reports whether the client accepts one of rsaSchemes in TLS 1.2. Without
// signature_algorithms it accepts only SHA-1 (RFC 5246 7.4.1.4.1).
func signs(h *hello.ClientHello) bool {
	return slices.ContainsFunc(h.SignatureAlgorithms, func(s uint16) bool {
		return slices.Contains(rsaSchemes[:], tls.SignatureScheme(s))
	})
}

// wantsSHA1 guesses whether a client cannot verify SHA-256 certificates: from its
// signature algorithms in TLS 1.2; below that, if it sends no extension except
// renegotiation_info (OpenSSL before 0.9.8o, Windows XP before SP3).
func wantsSHA1(h *hello.ClientHello) bool {
	if h.Modern() {
		return len(h.SignatureAlgorithms) > 0 && !signs(h)
	}
	return !slices.ContainsFunc(h.Extensions, func(e uint16) bool { return e != hello.ExtRenegotiationInfo })
}
