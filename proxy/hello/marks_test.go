package hello

import "testing"

// TestMarks are hellos whose suites nobody has seen: extensions and habits
// must tell their library.
func TestMarks(t *testing.T) {
	t.Parallel()
	odd := []uint16{0x0035}
	openSSLFormats := []byte{0, 1, 2}
	for want, h := range map[string]ClientHello{
		"Java 8u261, 9 or later":                            {CipherSuites: odd, Extensions: []uint16{extStatusRequestV2, extEncryptThenMAC}},
		"OpenSSL 1.1.0 or later":                            {CipherSuites: odd, Extensions: []uint16{extPointFormats, extEncryptThenMAC}, PointFormats: openSSLFormats},
		"GnuTLS 3.x":                                        {CipherSuites: odd, Extensions: []uint16{extEncryptThenMAC, extRecordSizeLimit}},
		"NSS 3.15.1 or later":                               {CipherSuites: odd, Extensions: []uint16{extRecordSizeLimit}},
		"NSS 3.x before TLS 1.2 (Firefox 26 and older)":     {CipherSuites: []uint16{suiteFIPS3DES}},
		"OpenSSL 1.0.x":                                     {CipherSuites: odd, Extensions: []uint16{extPointFormats}, PointFormats: openSSLFormats},
		"Java 7":                                            {CipherSuites: []uint16{0x35, RenegotiationSCSV}, Extensions: []uint16{extSupportedGroups, extPointFormats, extServerName}, MaxVersion: VersionTLS10},
		"Java 8 before 8u261":                               {CipherSuites: []uint16{0x35, RenegotiationSCSV}, Extensions: []uint16{extSupportedGroups, extPointFormats, extSignatureAlgorithms}, MaxVersion: VersionTLS12},
		"SChannel Windows 7 to 11 with TLS 1.2":             {CipherSuites: odd, Extensions: []uint16{extServerName, extStatusRequest, extRenegotiationInfo}, MaxVersion: VersionTLS12, RecordVersion: VersionTLS12, LegacyVersion: VersionTLS12},
		"SChannel Windows 8.1 or later, limited to old TLS": {CipherSuites: odd, Extensions: []uint16{extServerName, extStatusRequest, extRenegotiationInfo}, MaxVersion: VersionTLS10, RecordVersion: VersionTLS10, LegacyVersion: VersionTLS10},
		"OpenSSL 0.9.8 or older":                            {Framing: SSLv2, CipherSuites: odd, SSLv2Ciphers: []uint32{0x050080}},
		"SChannel Windows XP, Server 2003":                  {Framing: SSLv2, CipherSuites: []uint16{0x0064, 0x35}, SSLv2Ciphers: []uint32{0x040080}},
		"Java 6 or older":                                   {Framing: SSLv2, CipherSuites: odd, SSLv2Ciphers: []uint32{0x0700c0}},
		"unknown":                                           {CipherSuites: odd},
	} {
		if got := h.Library().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestSSLv2MarksOfOpenSSL: 1.0.x with suites of a program's own choosing is not
// taken for 0.9.8, whose ALL had no Camellia.
func TestSSLv2MarksOfOpenSSL(t *testing.T) {
	t.Parallel()
	for want, suites := range map[string][]uint16{
		"OpenSSL 0.9.8 or older": {0x0039, 0x0035, 0x000a},
		"OpenSSL 1.0.x":          {0x0039, 0x0084, 0x0041},
	} {
		h := ClientHello{Framing: SSLv2, CipherSuites: suites, SSLv2Ciphers: []uint32{0x050080, 0x0700c0}}
		if got := h.Library().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
