package hello

import (
	"iter"
	"slices"
)

type libraryID uint8

const (
	unknown libraryID = iota
	schannelXP
	schannel7
	schannel
	schannel10
	java6
	java7
	java8
	java
	javaCurrent
	openSSL098
	openSSL10
	openSSLCurrent
	libreSSL
	gnuTLS
	nss3
	nssCurrent
	android2
	android4
	android5
	appleOld
	appleNew
	presto
	mono
	chromium
	goTLS
	numLibraries
)

// libraries holds the name of each guess. The names are values of a metrics label
// and must not change between releases. docs/fixes says what the owner of a client
// must change; a test checks that it covers this table.
var libraries = [numLibraries]Library{
	schannelXP:     {"SChannel", "Windows XP, Server 2003"},
	schannel7:      {"SChannel", "Windows Vista, 7, Server 2008"},
	schannel:       {"SChannel", ""},
	schannel10:     {"SChannel", "Windows 7 to 11 with TLS 1.2"},
	java6:          {"Java", "6 or older"},
	java7:          {"Java", "7"},
	java8:          {"Java", "8 before 8u261"},
	java:           {"Java", ""},
	javaCurrent:    {"Java", "8u261, 9 or later"},
	openSSL098:     {"OpenSSL", "0.9.8 or older"},
	openSSL10:      {"OpenSSL", "1.0.x"},
	openSSLCurrent: {"OpenSSL", "1.1.0 or later"},
	libreSSL:       {"LibreSSL", "2.x"},
	gnuTLS:         {"GnuTLS", "3.x"},
	nss3:           {"NSS", "3.x before TLS 1.2 (Firefox 26 and older)"},
	nssCurrent:     {"NSS", "3.15.1 or later"},
	android2:       {"Android", "2.x"},
	android4:       {"Android", "4.x"},
	android5:       {"Android", "5 or later"},
	appleOld:       {"Secure Transport", "OS X 10.6 to 10.8"},
	appleNew:       {"Secure Transport", "OS X 10.9, iOS 5 or later"},
	presto:         {"Presto", "Opera 12"},
	mono:           {"Mono", "5 or later (BoringSSL)"},
	chromium:       {"BoringSSL", "Chromium and its kin"},
	goTLS:          {"Go", "crypto/tls"},
}

// Libraries yields every library that can be guessed.
func Libraries() iter.Seq[Library] { return slices.Values(libraries[1:]) }

// bySuites recognises sets of suites by JA4's second part. The values come from
// hellos of real clients: those that the interop tests run, and public recordings,
// from which only these facts were kept.
func (h *ClientHello) bySuites() libraryID {
	switch h.ja4Ciphers() {
	case "9ee8ab185e04": // shared by two: Android's suites came from a Java library
		if h.Framing == SSLv2 || h.ServerName != "" {
			return java6
		}
		return android2
	case "4fde3ed791f6", "3609b414f052":
		return schannelXP
	case "d94e65cdb899":
		return schannel7
	case "9295eb73ea51", "db6bc8f7861c", "f609cb3cb89c", "bbd4f008d9b2", "abdbad740de4", "d83cc789557e":
		return schannel10
	case "b3c2d19a1f57":
		return java7
	case "6f2c0565fe7a", "11b08e233c4b", "5e02f30799ee":
		return java8
	case "21a865b8cdb0", "bd868743f55c", "bc01e4e2260a", "8f3dcbce23eb":
		return javaCurrent
	case "e91ed181b052":
		return openSSL098
	case "15c493246000", "c43983326036", "383454ac02f4", "30cf066ba939", "1ff50eee1f64", "8a10cb45a794", "8e966b29caa4":
		return openSSL10
	case "d943125447b4", "e8f1e7e78f70", "44099cda8a52", "c491f621fb4c":
		return openSSLCurrent
	case "85626a9a5f7f":
		return libreSSL
	case "051fb07a0855", "6470440c95c7", "723694b0fccc":
		return gnuTLS
	case "77f462745360", "49dac2a37825":
		return nss3
	case "c64052043fd2", "b06c425f59b5": // Firefox 22 and Chrome 27 on a patched NSS
		return nss3
	case "0849908bd344", "a53a8155954a", "948423e5275c", "d3642cc0373c", "2490b10d2092", "43e74fd21232",
		"27a29bd8d6e6", "073e58a039a6", "a9397a71b479", "45de795eb070", "29a2cd9e9f10", "5b57614c22b0":
		return nssCurrent
	case "2c1d8c27db2a", "1707c18335a6", "810d62b9dde8":
		return android4
	case "519b4837d290":
		return android5
	case "5a1c999c90cf", "6c4a56578f33":
		return appleOld
	case "07a749158664", "ea2d7a1ea9fa", "579de695db09", "0d4ca5d4ec72", "2a284e3b0c56", "2802a3db6c62", "a09f3c656075", "d1df5bdd38f9":
		return appleNew
	case "d4bdf41ec3de":
		return presto
	case "b9cbb9b2199c", "fc2078a0b8c0":
		return mono
	case "0bf03fa604e3", "27d4652c4487", "8dd61975155f", "f51103c65f73", "e1dc9db8be50", "70ebeae7bfd2", "20a10634286c",
		"f3e6b40ccb38", "67e6df579eba", "46e7e9700bed", "8daaf6152771":
		return chromium
	case "9dc949149365", "cefcabfea53d", "a8cf61a50a39", "f57a46bbacb6":
		return goTLS
	default:
		return unknown
	}
}
