package http1

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

// openings are what connections can begin with, which hosts that names, whether it
// names no others, and whether it is HTTP at all.
var openings = []struct {
	text    string
	hosts   string
	certain bool
	other   bool
}{
	{"GET /a HTTP/1.1\r\nHost: Api.Example.:80\r\n\r\n", "[api.example]", true, false},
	{"GET /a HTTP/1.1\nHost: a.example\n\n", "[a.example]", true, false},
	{"GET http://u@a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", "[a.example b.example]", true, false},
	{"GET /a HTTP/1.0\r\n\r\n", "[]", true, false},
	{"GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: a.example\r\n\r\n", "[a.example]", true, false},
	{"GET /a HTTP/1.1\r\nCookie: " + strings.Repeat("a", 5000) + "\r\nHost: a.example\r\n\r\n", "[a.example]", true, false},
	{"GET /a HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "[2001:db8::1]", true, false},

	// Refused: every host counts that any server could find.
	{"GET /a HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", "[a.example b.example]", true, false},
	{"GET /a HTTP/1.1\r\nHost : a.example\r\n\r\n", "[a.example]", true, false},
	{"GET /a HTTP/1.1\r\n Host: a.example\r\n\r\n", "[a.example]", true, false},
	{"GET /a HTTP/1.1\r\nHost:\r\n a.example\r\n\r\n", "[]", false, false},
	{"GET /a HTTP/1.1\r\nHost: a.example\rHost: b.example\r\n\r\n", "[]", false, false},
	{"GET /a HTTP/1.1\r\nHost: a.example/b\r\n\r\n", "[]", false, false},
	{"GET /a%zz HTTP/1.1\r\nHost: a.example\r\nX: \x01\r\n\r\n", "[a.example]", true, false},
	{"GET /a HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\nHost: a.example\r\n\r\nx", "[a.example]", true, false},
	{"GET http://a.example\\b HTTP/1.1\r\n\r\n", "[a.example]", true, false},
	{"GET http://a_%/ HTTP/1.1\r\nHost: b.example\r\n\r\n", "[b.example]", false, false},
	{"CONNECT a.example HTTP/1.1\r\nHost: b.example\r\n\r\n", "[a.example b.example]", true, false},
	{"GET /a HTTP/1.2\r\nHost: a.example\r\n\r\n", "[a.example]", true, false},
	{"GET /a http/1.1\r\nHost: a.example\r\n\r\n", "[a.example]", true, false},
	{" GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n", "[]", false, false}, // refused by its first byte
	{"GET\t/a\tHTTP/1.1\r\nHost: a.example\r\n\r\n", "[a.example]", true, false},

	// Not complete: more could follow.
	{"GET /a HTTP/1.1\r\nHost: a.example\r\n", "[a.example]", false, false},
	{"GET", "[]", false, false},
	{"GET /a?Password=secret", "[]", false, false},
	{"GET /a?Password=secret\r\n", "[]", false, false}, // HTTP/0.9
	{"GET http://a.example/\r\n", "[a.example]", false, false},
	{"GET /a HTTP/1.1\r\nHost: a.example\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n", "[a.example]", true, false},

	// Not HTTP.
	{"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", "[]", false, true},
	{"EHLO mail.example\r\n", "[]", false, true},
	{"CONNECT\naccept-version:1.2\n\n", "[]", true, true}, // STOMP
	{"\x00\x0e\x38", "[]", false, true},
	{"AMQP\x00\x00\x09\x01", "[]", false, true},
	{"caf\xe9", "[]", false, true},
	{"{\"id\":1}", "[]", false, true},
}

// A redirected connection is relayed by what this says, so no host may be
// overlooked. A head that was refused early was not seen in full, and is never
// certain then.
func TestHosts(t *testing.T) {
	t.Parallel()
	for _, o := range openings {
		for how, segments := range deliveries(o.text) {
			served := false
			play(t, Limits{HeaderBytes: 8 << 10}, func(_ *Response, r *Request) {
				if served {
					return // what comes behind it
				}
				served = true
				hosts, certain := r.Hosts()
				whole := how == "one segment"
				if (whole || certain) && (fmt.Sprint(hosts) != o.hosts || certain != o.certain) {
					t.Errorf("%.60q, %s: %v, certain %v", o.text, how, hosts, certain)
				}
				if other := r.OtherProtocol(); other != o.other {
					t.Errorf("%.60q, %s: another protocol: %v", o.text, how, other)
				}
			}, segments...)
			if !served {
				t.Errorf("%.60q, %s: not served", o.text, how)
			}
		}
	}
}

// A caller that speaks another protocol may wait for its server now.
func TestOtherProtocolsAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, o := range openings {
		if !o.other {
			continue
		}
		nc := &scriptConn{segments: []string{o.text}, end: os.ErrDeadlineExceeded}
		newConn(nc, Options{}).Serve(handlerFunc(func(_ *Response, r *Request) {
			if r.Refusal == nil || r.Refusal.Detail == detailHeadTimeout {
				t.Errorf("%q: %+v", o.text, r.Refusal)
			}
		}))
	}
}

// Unread gives back all that was read, byte for byte.
func TestUnread(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		get, "POST /a b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n", "GET /%zz HTTP/1.1\r\nhost : h\r\n\r\n", "SSH-2.0-x\r\n",
		"GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\nHost: h\r\n\r\n",
	} {
		raw := "\r\n\n" + head + "body" + get
		for how, segments := range deliveries(raw) {
			nc := &scriptConn{segments: segments, end: io.EOF}
			var got string
			end := newConn(nc, Options{}).Serve(handlerFunc(func(w *Response, _ *Request) { got = string(w.Unread()) }))
			if got += strings.Join(nc.segments, ""); got != raw || end != Hijacked || nc.writes != 0 {
				t.Errorf("%s: %.80q, %v, %d writes", how, got, end, nc.writes)
			}
		}
	}
}
