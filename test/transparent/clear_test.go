//go:build linux

package transparent

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tlslift/test/harness"
	"tlslift/test/nameserver"
)

// These tests hold that a redirected call of one of our hosts never leaves in
// clear. In each, something listens where the caller was going.

// inClear is a server on port 80 of an address, and how many it met.
func (n *namespace) inClear(t *testing.T, address string) (met func() int) {
	t.Helper()
	return accepted(t, n.Listen(address+":80"), func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, "HTTP/1.0 200 OK\r\n\r\nthe server in clear")
	})
}

// say sends bytes to port 80 of an address, as a client, and returns what comes
// back.
func (l *lab) say(t *testing.T, address, text string) string {
	t.Helper()
	out, err := l.as(t, text, python, "-c", `
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 20)
s.sendall(sys.stdin.buffer.read())
sys.stdout.write(s.makefile(errors='replace').read())`, address)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return out
}

const (
	nameless = "GET " + path + " HTTP/1.0\r\n\r\n"
	named    = "GET " + path + " HTTP/1.0\r\nHost: api.smsportal.com\r\n\r\n"
)

// TestHeadsThatNameOurHosts: the caller got its address from elsewhere, so only
// its head says that it calls one of our hosts. Whatever its form, it is upgraded or
// refused.
func TestHeadsThatNameOurHosts(t *testing.T) {
	n := newNamespace(t)
	met := n.inClear(t, foreignAddr)
	l := startLab(t, n, func(l *lab) string {
		return fmt.Sprintf("limits: {header_bytes: 16KiB}\nupstreams: [{host: api.smsportal.com, address: '%s:443', ca_file: %s}]\n", portalAddr, l.roots)
	})
	long := strings.Repeat("x", 5000)
	const hosted = "Host: api.smsportal.com\r\n\r\n"
	for _, test := range []struct{ name, head, want string }{
		{"short", named, "<credits>"},
		{"long query", "GET " + path + "&x=" + long + " HTTP/1.0\r\n" + hosted, "<credits>"},
		{"long fields", "GET " + path + " HTTP/1.0\r\nCookie: " + long + "\r\n" + hosted, "<credits>"},
		{"long absolute form", "GET http://api.smsportal.com" + path + "&x=" + long + " HTTP/1.0\r\n\r\n", "<credits>"},
		{"behind empty lines", "\r\n\r\n" + named, "<credits>"},
		{"blank before the colon", "GET " + path + " HTTP/1.0\r\nHost : api.smsportal.com\r\n\r\n", "malformed"},
		{"two hosts", "GET " + path + " HTTP/1.0\r\nHost: elsewhere.example\r\n" + hosted, "malformed"},
		{"folded host", "GET " + path + " HTTP/1.0\r\nHost:\r\n api.smsportal.com\r\n\r\n", "malformed"},
		{"another version", "GET " + path + " HTTP/1.2\r\n" + hosted, "malformed"},
		{"broken field", "GET " + path + " HTTP/1.1\r\nA: \x00\r\n" + hosted, "malformed"},
		{"no version", "GET " + path + "\r\n", "malformed"},
		{"over the limit", "GET " + path + " HTTP/1.0\r\nCookie: " + strings.Repeat(long, 4) + "\r\n" + hosted, "too_large"},
		{"over the limit, foreign", "GET " + path + " HTTP/1.0\r\nHost: elsewhere.example\r\nCookie: " + strings.Repeat(long, 4) + "\r\n" + hosted, "too_large"},
	} {
		if out := l.say(t, foreignAddr, test.head); !strings.Contains(out, test.want) {
			t.Errorf("%s: %.300q", test.name, out)
		}
	}
	if n := met(); n != 0 {
		t.Errorf("%d calls left in clear", n)
	}
	for _, detail := range []string{"HTTP version is neither 1.0 nor 1.1", "control character in a header value"} {
		l.process.WaitLog(harness.Match{"msg": "request", "ingress": "transparent", "detail": detail, "host": "api.smsportal.com"})
	}
}

// dns is a name server in the namespace.
func (n *namespace) dns(t *testing.T, zone ...string) (s *nameserver.Server, address string) {
	t.Helper()
	s = nameserver.New(t, zone...)
	n.Inside(func() error { address = s.Listen(t); return nil })
	return s, address
}

// TestNamelessCallers: a caller that names no host is upgraded if the address that
// it called is known to be one of ours, and refused if that is not known. What is
// known outlasts what others ask for, a reload and an upgrade.
func TestNamelessCallers(t *testing.T) {
	n := newNamespace(t)
	met := n.inClear(t, portalAddr)
	_, dns := n.dns(t, "api.smsportal.com 60 A "+portalAddr)
	var config string
	l := startLab(t, n, func(l *lab) string {
		config = fmt.Sprintf("upstreams: [{host: '*.smsportal.com', ca_file: %s}]\n", l.roots)
		return config + "upstream: {dns_servers: ['" + dns + "']}\n"
	})
	upgraded := func(when, text string) {
		t.Helper()
		if out := l.say(t, portalAddr, text); !strings.Contains(out, "<credits>") {
			t.Errorf("%s: %.300q", when, out)
		}
	}
	out := l.say(t, portalAddr, nameless)
	if !strings.Contains(out, " 403 ") || !strings.Contains(out, "Tlslift-Error: host") || !strings.Contains(out, "names no API host") {
		t.Errorf("in a fresh process: %.300q", out)
	}
	upgraded("with a name", named)
	upgraded("once known", nameless)
	upgraded("by its address", "GET "+path+" HTTP/1.0\r\nHost: "+portalAddr+"\r\n\r\n")
	kept := "GET " + path + " HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n"
	if out := l.say(t, portalAddr, kept+nameless); strings.Count(out, "<credits>") != 2 {
		t.Errorf("on a connection that named a host: %.600q", out)
	}

	const madeUp = 1200 // more than the cache of DNS holds
	var requests strings.Builder
	for i := range madeUp {
		ends := ""
		if i == madeUp-1 {
			ends = "Connection: close\r\n"
		}
		fmt.Fprintf(&requests, "GET /x HTTP/1.1\r\nHost: n%d.smsportal.com\r\n%s\r\n", i, ends)
	}
	if out := l.say(t, portalAddr, requests.String()); strings.Count(out, "Tlslift-Error: dns") != madeUp {
		t.Errorf("made-up names: %.300q", out)
	}
	upgraded("after many names that do not exist", nameless)

	mark := l.process.Mark()
	l.process.Reconfigure(l.config(config + "upstream: {dns_servers: ['" + dns + "', '" + dns + "']}\n"))
	l.process.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	upgraded("after a reload with another DNS server", nameless)

	l.process.Upgrade()
	upgraded("after an upgrade", nameless)
	if n := met(); n != 0 {
		t.Errorf("%d calls left in clear", n)
	}
}

// TestNamelessCallersWhileDNSFails: the address that they called may be ours.
func TestNamelessCallersWhileDNSFails(t *testing.T) {
	n := newNamespace(t)
	met := n.inClear(t, portalAddr)
	elsewhere := n.inClear(t, "127.0.0.9")
	server, dns := n.dns(t, "api.smsportal.com 60 A "+portalAddr)
	l := startLab(t, n, func(l *lab) string {
		return fmt.Sprintf("upstreams: [{host: api.smsportal.com, ca_file: %s}]\nupstream: {dns_servers: ['%s']}\n", l.roots, dns)
	})
	for name, fault := range map[string]nameserver.Fault{"silent": nameserver.Silence, "failing": nameserver.Fail(dnsmessage.RCodeServerFailure)} {
		server.Set(fault)
		out := l.say(t, portalAddr, nameless)
		if !strings.Contains(out, " 502 ") || !strings.Contains(out, "Tlslift-Error: dns") || !strings.Contains(out, "Tlslift-Delivery: not_sent") {
			t.Errorf("%s: %.300q", name, out)
		}
		if !strings.Contains(out, "The operator of tlslift has to look at its DNS.") || strings.Contains(out, "spelling") { // the caller spelled nothing
			t.Errorf("%s: the answer blames the caller: %.600q", name, out)
		}
	}
	l.process.WaitLog(harness.Match{"msg": "request", "error": "dns", "host": "api.smsportal.com", "delivery": "not_sent"})
	// Upstreams have no internal addresses, so this one is none.
	if out := l.say(t, "127.0.0.9", nameless); !strings.Contains(out, "the server in clear") || elsewhere() != 1 {
		t.Errorf("an internal address: %.300q", out)
	}
	server.Set(nil)
	out := l.say(t, portalAddr, nameless)
	for end := time.Now().Add(harness.Patience); strings.Contains(out, " 502 ") && time.Now().Before(end); { // a failure is kept for a second
		out = l.say(t, portalAddr, nameless)
	}
	if !strings.Contains(out, "<credits>") {
		t.Errorf("once DNS answers: %.300q", out)
	}
	if n := met(); n != 0 {
		t.Errorf("%d calls left in clear", n)
	}
}

// TestForeignServersThatAreDown: the caller sees no answer of ours.
func TestForeignServersThatAreDown(t *testing.T) {
	l := newLab(t)
	if out := l.say(t, foreignAddr, "GET / HTTP/1.0\r\nHost: elsewhere.example\r\n\r\n"); out != "" {
		t.Errorf("%q", out)
	}
	l.process.WaitLog(harness.Match{"msg": "tunnel", "decision": "relay", "handling": "refused", "host": "elsewhere.example", "error": "connect", "end": "handshake", "status": 0.0})
}
