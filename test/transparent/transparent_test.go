//go:build linux

// Package transparent proves the redirected way in: real clients that know
// nothing of a proxy, in a network namespace whose nftables send their
// connections to tlslift.
package transparent

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// lab is the namespace with everything in it.
type lab struct {
	*namespace
	portal  *smsportal.Server
	process *harness.Process
	roots   string // the upstream's CA
	ours    string // tlslift's root
	files   authority.Files
}

func newLab(t *testing.T) *lab { return newLabWith(t, newNamespace(t), "") }

// newLabWith makes a lab of a namespace; config is added to that of tlslift, whose
// environment is env.
func newLabWith(t *testing.T, n *namespace, config string, env ...string) *lab {
	t.Helper()
	return startLab(t, n, func(l *lab) string {
		return fmt.Sprintf(`
others: refuse
upstreams:
- {host: api.smsportal.com, address: "%[1]s:443", ca_file: %[2]s}
- {host: also.smsportal.com, address: "%[1]s:443", ca_file: %[2]s}
`, portalAddr, l.roots) + config
	}, env...)
}

// startLab makes a lab whose configuration says which hosts are ours.
func startLab(t *testing.T, n *namespace, config func(*lab) string, env ...string) *lab {
	t.Helper()
	l := &lab{namespace: n}
	n.Inside(func() (err error) {
		l.portal, err = smsportal.New(smsportal.Options{Listen: portalAddr + ":443", RSA: true})
		return err
	})
	t.Cleanup(func() { l.portal.Close() })
	dir := readable(t)
	files, err := authority.Init(authority.InitOptions{Dir: dir, Domains: []string{"smsportal.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	l.files, l.ours = files, files.Root
	l.roots = filepath.Join(dir, "portal.pem")
	if err := os.WriteFile(l.roots, l.portal.CAPEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	l.process = harness.Start(t, harness.Options{
		Under: n.Under(), Env: env,
		Config: l.config(config(l)),
	})
	address, err := netip.ParseAddrPort(l.process.ListenAddr(0))
	if err != nil {
		t.Fatal(err)
	}
	n.redirect(t, address.Port())
	return l
}

// config is that of tlslift, with more.
func (l *lab) config(more string) string {
	return fmt.Sprintf(`
listen: [{address: "[::]:0", transparent: true}]
legacy_tls: {ca: {cert_file: %s, key_file: %s}}
admin: {address: ""}
`, l.files.CA, l.files.Key) + more
}

// readable is a directory that the clients, who are somebody else, can read.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tlslift-transparent-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

const path = "/api5/http5.aspx?Type=credits&Username=u&Password=p"

// curl calls the API's real name and address.
func (l *lab) curl(t *testing.T, address string, args ...string) string {
	t.Helper()
	base := []string{
		"curl", "-sS", "--max-time", "20", "--resolve", "api.smsportal.com:80:" + address, "--resolve", "api.smsportal.com:443:" + address,
	}
	out, err := l.as(t, "", append(base, args...)...)
	if err != nil {
		t.Fatalf("curl: %v\n%s", err, out)
	}
	return out
}

func TestClientsThatKnowNothingOfAProxy(t *testing.T) {
	l := newLab(t)
	for name, test := range map[string]struct {
		address string
		args    []string
		line    harness.Match
	}{
		"plain http": {
			portalAddr,
			[]string{"http://api.smsportal.com" + path},
			harness.Match{"msg": "request", "tls_version": "none", "status": 200.0},
		},
		"plain http over IPv6": {
			portalAddr6,
			[]string{"http://api.smsportal.com" + path},
			harness.Match{"msg": "request", "tls_version": "none", "status": 200.0},
		},
		"modern https": {
			portalAddr,
			[]string{"--cacert", l.roots, "https://api.smsportal.com" + path},
			harness.Match{"msg": "tunnel", "handling": "spliced"},
		},
		"TLS 1.0": {
			portalAddr,
			[]string{"--cacert", l.ours, "--tlsv1.0", "--tls-max", "1.0", "--ciphers", "ALL:@SECLEVEL=0", "https://api.smsportal.com" + path},
			harness.Match{"msg": "request", "tls_version": "1.0", "status": 200.0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			mark := l.process.Mark()
			if out := l.curl(t, test.address, test.args...); !strings.Contains(out, "<credits>") {
				t.Errorf("answered %q", out)
			}
			test.line["ingress"], test.line["host"] = "transparent", "api.smsportal.com"
			l.process.In(t).WaitLogAfter(mark, test.line)
		})
	}
}

// oldPython says TLS 1.0 without naming a server: only the address tells whom
// it wants.
const oldPython = `
import ssl, socket, sys
ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ctx.check_hostname = False
ctx.load_verify_locations(sys.argv[1])
ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion.TLSv1
ctx.set_ciphers('ALL:@SECLEVEL=0')
s = ctx.wrap_socket(socket.create_connection((sys.argv[2], 443), 20))
s.sendall(b'GET ` + path + ` HTTP/1.0\r\nHost: api.smsportal.com\r\n\r\n')
while True:
    d = s.recv(4096)
    if not d: break
    sys.stdout.write(d.decode())
`

// TestOldTLSWithoutAName: of two hosts at one address the inner Host decides.
func TestOldTLSWithoutAName(t *testing.T) {
	l := newLab(t)
	out, err := l.as(t, oldPython, python, "-", l.ours, portalAddr)
	if err != nil || !strings.Contains(out, "<credits>") {
		t.Errorf("%v: %s", err, out)
	}
	l.process.WaitLog(harness.Match{"msg": "request", "ingress": "transparent", "tls_version": "1.0", "host": "api.smsportal.com"})
}

// TestPlainWithoutAName: HTTP/1.0 without Host means the host at the address
// that it called.
func TestPlainWithoutAName(t *testing.T) {
	l := newLab(t)
	out, err := l.as(t, "", python, "-c", `
import socket, sys
s = socket.create_connection((sys.argv[1], 80), 20)
s.sendall(b'GET `+path+` HTTP/1.0\r\n\r\n')
sys.stdout.write(s.makefile().read())`, portalAddr)
	if err != nil || !strings.Contains(out, "<credits>") {
		t.Errorf("%v: %s", err, out)
	}
	l.process.WaitLog(harness.Match{"msg": "request", "ingress": "transparent", "tls_version": "none", "host": "also.smsportal.com", "status": 200.0})
}

func TestForeignTrafficGoesWhereItWasGoing(t *testing.T) {
	l := newLab(t)
	odd := "GET /odd%zz?a=b c HTTP/1.1\r\nHost: elsewhere.example\r\nX-Odd: \x01\r\n\r\n"
	long := "\r\nPOST /a b HTTP/1.1\r\nCookie: " + strings.Repeat("x", 5000) + "\r\nHost: elsewhere.example\r\nContent-Length: 4\r\n\r\nbody and more"
	for _, test := range []struct{ port, request string }{{"80", odd}, {"443", odd}, {"80", long}} {
		port, request := test.port, test.request
		ln := l.Listen(foreignAddr + ":" + port)
		seen := make(chan string, 1)
		go echoOnce(ln, seen)
		out, err := l.as(t, request, python, "-c", `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
sys.stdout.write(s.makefile().read())`, foreignAddr, port)
		_ = ln.Close()
		if err != nil || out != "the foreign server's answer" {
			t.Errorf("port %s: %v: %q", port, err, out)
		}
		select {
		case got := <-seen:
			if got != request {
				t.Errorf("port %s: the foreign server saw %q, want every byte of %q", port, got, request)
			}
		case <-time.After(harness.Patience):
			t.Fatalf("port %s: the foreign server saw nobody", port)
		}
	}
	lines := l.process.WaitLogs(0, harness.Match{"msg": "tunnel", "handling": "tunnelled", "ingress": "transparent"}, 3)
	if len(lines) != 3 {
		t.Errorf("%d tunnel lines", len(lines))
	}
	if n := l.portal.Count(); n != 0 {
		t.Errorf("SMSPortal was asked %d times", n)
	}
}

// echoOnce reads all that one caller says and then answers it.
func echoOnce(ln net.Listener, seen chan<- string) {
	c, err := ln.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	all, _ := io.ReadAll(bufio.NewReader(c))
	seen <- string(all)
	_, _ = io.WriteString(c, "the foreign server's answer")
}

func TestATargetThatIsTheListenerItselfIsNoDestination(t *testing.T) {
	l := newLab(t)
	address, _ := netip.ParseAddrPort(l.process.ListenAddr(0))
	out, err := l.as(t, "", "curl", "-sS", "--max-time", "20", "-i", fmt.Sprintf("http://127.0.0.1:%d/", address.Port()))
	if err != nil || !strings.Contains(out, "508") || !strings.Contains(out, "Tlslift-Error: loop") {
		t.Errorf("%v: %s", err, out)
	}
}
