package call

import (
	"crypto/tls"
	"slices"
	"testing"
)

// TestWordsAreTheContract holds the words of the closed sets, which dashboards
// and outside tests are built on (docs/metrics.md).
func TestWordsAreTheContract(t *testing.T) {
	t.Parallel()
	words := func(set []string) []string { slices.Sort(set); return set }
	var failures, ingresses, handlings, versions, sources []string
	for _, f := range HandshakeFailures {
		failures = append(failures, f.String())
		if parsed, ok := ParseHandshakeFailure(f.String()); !ok || parsed != f {
			t.Errorf("%v parses as %v, %v", f, parsed, ok)
		}
	}
	for _, i := range Ingresses {
		ingresses = append(ingresses, i.String())
	}
	for _, h := range Handlings {
		handlings = append(handlings, h.String())
	}
	for _, v := range Versions {
		versions = append(versions, v.String())
	}
	for _, r := range Sources {
		sources = append(sources, r.String())
	}
	for _, c := range []struct{ got, want []string }{
		{failures, []string{"client_alert", "client_rejected_ca", "client_rejected_upstream", "eof", "no_call", "no_server_name", "no_shared_cipher", "not_tls", "other", "signature", "sslv2_hello", "timeout", "version"}},
		{ingresses, []string{"connect", "forward", "gateway", "tls", "transparent"}},
		{handlings, []string{"plain", "refused", "spliced", "terminated", "tunnelled"}},
		{versions, []string{"1.0", "1.1", "1.2", "1.3", "none", "ssl3"}},
		{sources, []string{"account", "address", "listener", "name", "proxy_auth", "proxy_user", "workload"}},
	} {
		if !slices.Equal(words(c.got), c.want) {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if HandshakeFailure(200).String() != "other" || HandshakeOK.String() != "" {
		t.Error("a failure outside the set has another word than other, or none has a word")
	}
}

// TestInsecure is the product's central definition: SMSPortal will accept TLS
// 1.2 and higher.
func TestInsecure(t *testing.T) {
	t.Parallel()
	for v, want := range map[Version]bool{
		VersionNone: true, VersionSSL3: true, Version10: true, Version11: true, Version12: false, Version13: false,
	} {
		if v.Insecure() != want {
			t.Errorf("%v: insecure %v", v, !want)
		}
		if (&Outcome{Version: v}).Insecure() != want {
			t.Errorf("an outcome over %v: insecure %v", v, !want)
		}
	}
	for wire, want := range map[uint16]Version{
		0x0002: VersionSSL3, 0x0300: VersionSSL3, tls.VersionTLS10: Version10, tls.VersionTLS11: Version11,
		tls.VersionTLS12: Version12, tls.VersionTLS13: Version13, 0x7f1c: Version13,
	} {
		if want >= Version10 && wire <= tls.VersionTLS13 && want.Wire() != wire {
			t.Errorf("%v is %#x on the wire", want, want.Wire())
		}
		if got := VersionOf(wire); got != want {
			t.Errorf("%04x is %v, want %v", wire, got, want)
		}
	}
}
