package hello

import (
	"strconv"
	"strings"
	"testing"
)

// TestJA4PublishedVectors takes the raw form of fingerprints that others
// published, makes a hello of it and expects their hashes.
func TestJA4PublishedVectors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ ja4, raw string }{
		{ // the example of JA4's own description: Chrome
			"t13d1516h2_8daaf6152771_e5627efa2ab1",
			"002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9" +
				"_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01" +
				"_0403,0804,0401,0503,0805,0501,0806,0601",
		},
		{ // the example of a fingerprinting site
			"t13d1011h2_61a7ad8aa9b6_3fcd1a44f3e3",
			"00ff,1301,1302,1303,c02b,c02c,c02f,c030,cca8,cca9_0005,000a,000b,000d,0017,0023,002b,002d,0033" +
				"_0503,0403,0807,0806,0805,0804,0601,0501,0401",
		},
		{ // no signature algorithms: no underscore
			"t13d1516h2_8daaf6152771_6d807ffa2a79",
			"002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9" +
				"_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_",
		},
	} {
		parts := strings.Split(c.raw, "_")
		h := &ClientHello{
			MaxVersion: VersionTLS13, ALPN: []string{"h2", "http/1.1"},
			CipherSuites: append(hexList(t, parts[0]), 0x1a1a), Extensions: append(hexList(t, parts[1]), extServerName, extALPN, 0xeaea),
			SignatureAlgorithms: hexList(t, parts[2]),
		}
		if got := h.JA4(); got != c.ja4 {
			t.Errorf("got %s, want %s", got, c.ja4)
		}
	}
}

func hexList(t *testing.T, s string) (list []uint16) {
	t.Helper()
	for f := range strings.SplitSeq(s, ",") {
		if f == "" {
			continue
		}
		v, err := strconv.ParseUint(f, 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		list = append([]uint16{uint16(v)}, list...) // any order but the sorted one
	}
	if strings.HasPrefix(s, "0403") || strings.HasPrefix(s, "0503") { // signature algorithms keep theirs
		for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
			list[i], list[j] = list[j], list[i]
		}
	}
	return list
}

func TestJA4Prefix(t *testing.T) {
	t.Parallel()
	many := make([]uint16, 120)
	for i := range many {
		many[i] = uint16(i)
	}
	for _, c := range []struct {
		hello ClientHello
		want  string
	}{
		{ClientHello{MaxVersion: VersionTLS10}, "t10i000000_000000000000_000000000000"},
		{ClientHello{MaxVersion: VersionSSL3, CipherSuites: []uint16{0xa, 5, 4}}, "ts3i030000_53b29befa235_000000000000"},
		{ClientHello{MaxVersion: VersionSSL2}, "ts2i000000_000000000000_000000000000"},
		{ClientHello{MaxVersion: 0x7f1c}, "t00i000000_000000000000_000000000000"},
		{ClientHello{MaxVersion: VersionTLS11, CipherSuites: many}, "t11i990000"},
		{ClientHello{MaxVersion: VersionTLS12, ALPN: []string{"http/1.1"}}, "t12i0000h1"},
		{ClientHello{MaxVersion: VersionTLS12, ALPN: []string{"h"}}, "t12i0000hh"},
		{ClientHello{MaxVersion: VersionTLS12, ALPN: []string{"\xab\xcd"}}, "t12i0000ad"},
		{ClientHello{MaxVersion: VersionTLS12, ALPN: []string{"h\xcd"}}, "t12i00006d"},
		{ClientHello{MaxVersion: VersionTLS12, ALPN: []string{""}}, "t12i000000"},
		// SNI and ALPN count and are not hashed.
		{ClientHello{MaxVersion: VersionTLS12, Extensions: []uint16{extServerName, extALPN}}, "t12d000200_000000000000_000000000000"},
	} {
		if got := c.hello.JA4(); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
