package proxy

import "testing"

// TestMayGoOn: a redirected caller that does not speak HTTP is not waited for until
// its head is complete.
func TestMayGoOn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                                   true,
		"G":                                  true,
		"GET":                                true,
		"GET /a?b=c d":                       true,
		"GET /a HTTP/1.1\r\n":                true,
		"\r\nGET /a HTTP/1.1\r\nHost: x\r\n": true,
		"GET /a HTTP/1.1\nHost: x\n":         true,
		"GET /a HTTP/1.1\r\nHost: x\r\n\r\n": false,
		"GET /a HTTP/1.1\nHost: x\n\n":       false,
		"GET /a HTTP/1.0\r\n\r\n":            false,
		"GET /a\r\n":                         false, // HTTP/0.9
		"SSH-2.0-OpenSSH_9.2p1\r\n":          false,
		"SSH-2.0-OpenSSH_9.2p1\r":            false,
		"EHLO mail.example\r\n":              false,
		"\x00\x0e\x38":                       false,
		"caf\xe9":                            false,
	} {
		if got := mayGoOn([]byte(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

func TestHostOfHead(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"GET /a HTTP/1.1\r\nHost: Api.Example.:80\r\n\r\n": "api.example",
		"GET http://u@a.example/ HTTP/1.1\r\nHost: b\r\n":  "a.example",
		"GET /a HTTP/1.0\r\n\r\n":                          "",
		"SSH-2.0-x\r\nHost: a\r\n":                         "",
	} {
		if got := hostOfHead([]byte(head)).String(); got != want {
			t.Errorf("%q: %q", head, got)
		}
	}
}
