package hello

import "testing"

// TestMarks are hellos whose suites nobody has seen: extensions and habits
// must tell their library.
func TestMarks(t *testing.T) {
	t.Parallel()
	odd := []uint16{0x0035}
	openSSLFormats := []byte{0, 1, 2}
	for _, c := range []struct {
		want string
		h    ClientHello
	}{
		{"Java 8u261, 9 or later", ClientHello{CipherSuites: odd, Extensions: []uint16{5, 10, 11, 17, 23}}},
		{"OpenSSL 1.1.0 or later", ClientHello{CipherSuites: odd, Extensions: []uint16{11, 22, 23}, PointFormats: openSSLFormats}},
		{"OpenSSL 1.1.0 or later", ClientHello{CipherSuites: odd, Extensions: []uint16{11, 10, 35, 23, 13}, PointFormats: openSSLFormats}},
		{"OpenSSL 1.1.0 or later", ClientHello{CipherSuites: odd, Extensions: []uint16{0, 35, 22, 23}, MaxVersion: VersionTLS10}},
		{"GnuTLS 3.x", ClientHello{CipherSuites: odd, Extensions: []uint16{22, 28}}},
		{"NSS 3.15.1 or later", ClientHello{CipherSuites: odd, Extensions: []uint16{23, 65281, 10, 28}}},
		{"NSS 3.x before TLS 1.2 (Firefox 26 and older)", ClientHello{CipherSuites: []uint16{suiteFIPS3DES}}},
		{"OpenSSL 1.0.x", ClientHello{CipherSuites: odd, Extensions: []uint16{11}, PointFormats: openSSLFormats}},
		{"Java", ClientHello{CipherSuites: []uint16{0x35, RenegotiationSCSV}, Extensions: []uint16{10, 11, 0}, MaxVersion: VersionTLS10}},
		{"Java", ClientHello{CipherSuites: []uint16{0x35, RenegotiationSCSV}, Extensions: []uint16{10, 11, 13}, MaxVersion: VersionTLS12}},
		{"Java 8 before 8u261", ClientHello{CipherSuites: []uint16{0x9c, RenegotiationSCSV}, Extensions: []uint16{10, 11, 13}, MaxVersion: VersionTLS12}},
		{"SChannel Windows 7 to 11 with TLS 1.2", ClientHello{CipherSuites: odd, Extensions: []uint16{0, 5, 65281}, MaxVersion: VersionTLS12, RecordVersion: VersionTLS12, LegacyVersion: VersionTLS12}},
		{"SChannel", ClientHello{CipherSuites: odd, Extensions: []uint16{0, 5, 65281}, MaxVersion: VersionTLS10, RecordVersion: VersionTLS10, LegacyVersion: VersionTLS10}},
		{"OpenSSL 0.9.8 or older", ClientHello{Framing: SSLv2, CipherSuites: odd, SSLv2Ciphers: []uint32{0x050080}}},
		{"SChannel Windows XP, Server 2003", ClientHello{Framing: SSLv2, CipherSuites: []uint16{0x0064, 0x35}, SSLv2Ciphers: []uint32{0x040080}}},
		{"Java", ClientHello{Framing: SSLv2, CipherSuites: odd, SSLv2Ciphers: []uint32{0x0700c0}}},
		// SSL 2.0 alone, as OpenSSL 1.0.1l's SSLv2_method offers it.
		{"unknown", ClientHello{Framing: SSLv2, SSLv2Ciphers: []uint32{0x0700c0, 0x050080, 0x030080, 0x010080, 0x060040, 0x040080, 0x020080}}},
		{"unknown", ClientHello{CipherSuites: odd}},
		// mbed TLS with a few suites, wolfSSL, GnuTLS 3.3: encrypt-then-MAC shows nothing.
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{0, 13, 22, 23, 35}, MaxVersion: VersionTLS12}},
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{13, 22, 23}, MaxVersion: VersionTLS12}},
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{10, 11, 22, 23}, MaxVersion: VersionTLS10}},
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{13, 11, 10, 22, 0, 23}, MaxVersion: VersionTLS12}},
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{5, 10, 11, 13, 22, 23, 35, 65281}, MaxVersion: VersionTLS12, RecordVersion: VersionTLS12, LegacyVersion: VersionTLS12}},
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{5, 10, 11, 13, 23, 35, 65281}, MaxVersion: VersionTLS12, RecordVersion: VersionTLS12, LegacyVersion: VersionTLS12}},
		{"unknown", ClientHello{CipherSuites: odd, Extensions: []uint16{5, 10, 11, 13, 65281, 28}, MaxVersion: VersionTLS12}},
	} {
		c.h.SessionTicket = c.h.HasExtension(extSessionTicket)
		if got := c.h.Library().String(); got != c.want {
			t.Errorf("%v: %s, want %s", c.h.Extensions, got, c.want)
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
