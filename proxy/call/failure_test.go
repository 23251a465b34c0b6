package call

import (
	"slices"
	"testing"
)

// TestHandshakeFailureWords holds the label values of the metrics contract.
func TestHandshakeFailureWords(t *testing.T) {
	t.Parallel()
	want := []string{"version", "no_shared_cipher", "signature", "sslv2_hello", "client_rejected_ca", "client_rejected_upstream", "no_server_name", "no_call", "client_alert", "timeout", "eof", "not_tls", "other"}
	var words []string
	for _, f := range HandshakeFailures {
		words = append(words, f.String())
		if parsed, ok := ParseHandshakeFailure(f.String()); parsed != f || !ok {
			t.Errorf("%q is parsed as %v, %v", f, parsed, ok)
		}
	}
	if !slices.Equal(words, want) || len(words) != int(numHandshakeFailures)-1 {
		t.Errorf("got  %q\nwant %q", words, want)
	}
	if HandshakeOK.String() != "" || HandshakeFailure(200).String() != "other" {
		t.Errorf("no failure is %q, an unknown one %q", HandshakeOK, HandshakeFailure(200))
	}
	if _, ok := ParseHandshakeFailure(""); ok {
		t.Error("no word is a failure")
	}
}
