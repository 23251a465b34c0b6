package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const getA = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"

// TestReloadReconcilesListeners: listeners come, go and change their settings
// while a slow call is under way on each; nobody is refused but those who call a
// port that is gone.
func TestReloadReconcilesListeners(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := startFault(t, fault.Options{Script: fault.Marked("/slow", fault.Hold(release))})
	kept, gone, added := freePort(t), freePort(t), freePort(t)
	p := harness.Start(t, harness.Options{Upstream: server, Config: fmt.Sprintf(`
listen: [{address: %q}, {address: %q}, {address: "127.0.0.1:0"}]
others: refuse`, kept, gone)})
	third := p.ListenAddr(2)

	at := func(address string) *harness.Caller { return harness.Dial(t, address) }
	slow := "GET " + api + "/slow HTTP/1.1\r\nHost: x\r\n\r\n"
	onKept, onGone, onThird := at(kept).Send(slow), at(gone).Send(slow), at(third).Send(slow)
	idle := at(gone)
	idle.Send(getA).Answer("GET")
	if err := server.Wait(patience(t), "GET /slow", 3); err != nil {
		t.Fatal(err)
	}

	mark := p.Mark()
	p.Reconfigure(fmt.Sprintf(`
listen: [{address: %q, client: late-name}, {address: "127.0.0.1:0"}, {address: %q, client: newcomer}]
others: refuse`, kept, added))
	p.WaitLogAfter(mark, reloaded)
	p.WaitLogAfter(mark, harness.Match{"msg": "listening", "address": added})
	p.WaitLogAfter(mark, harness.Match{"msg": "no longer listening", "address": gone})
	if got := p.Lines(mark, harness.Match{"msg": "listening"}); len(got) != 1 {
		t.Errorf("listening anew: %v", got)
	}

	if _, err := net.DialTimeout("tcp", gone, harness.Patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the removed listener: %v", err)
	}
	for address, client := range map[string]string{kept: "late-name", added: "newcomer", third: "127.0.0.1"} {
		mark := p.Mark()
		if answer := at(address).Send(getA).Answer("GET"); answer.StatusCode != 200 || answer.Close {
			t.Errorf("at %s: %d %q, close %v", address, answer.StatusCode, answer.Problem(), answer.Close)
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "client": client, "status": 200})
	}
	// A kept caller of the removed listener is answered once more.
	if answer := idle.Send(getA).Answer("GET"); answer.StatusCode != 200 || !answer.Close {
		t.Errorf("an idle caller: %d, close %v", answer.StatusCode, answer.Close)
	}
	idle.ExpectClosed()
	close(release)
	for what, c := range map[string]*harness.Caller{"kept": onKept, "gone": onGone, "third": onThird} {
		if answer := c.Answer("GET"); answer.StatusCode != 200 || answer.Close != (what == "gone") {
			t.Errorf("the slow call on the listener that is %s: %d, close %v", what, answer.StatusCode, answer.Close)
		}
	}
	if got := p.Metrics().Sum("tlslift_config_last_reload_successful"); got != 1 {
		t.Errorf("last reload successful is %v", got)
	}
}

// TestAReloadBarsCallersThatAreConnected: a caller that a reload takes off the allow list is
// refused from its next request on, and one that is added is served.
func TestAReloadBarsCallersThatAreConnected(t *testing.T) {
	t.Parallel()
	server, address := startPortal(t, smsportal.Options{}), freePort(t)
	const barred, allowed = ", allow: [192.0.2.1/32]", ", allow: [127.0.0.0/8]"
	config := func(more string) string { return fmt.Sprintf("listen: [{address: %q%s}]\n", address, more) }
	p := harness.Start(t, harness.Options{Upstream: server, Env: caFiles(t), Config: config("")})
	reload := func(more string) {
		mark := p.Mark()
		p.Reconfigure(config(more))
		p.Signal(syscall.SIGHUP)
		p.WaitLogAfter(mark, reloaded)
	}
	const inner = "GET /none HTTP/1.1\r\nHost: " + legacyHost + "\r\n\r\n"
	old := &tls.Config{ServerName: legacyHost, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}
	kept, connecting, inside, unasked, silent := dial(t, p), dial(t, p), tunnel(t, p), dial(t, p), dial(t, p)
	connecting.Send(getA).Answer("GET")
	terminated := harness.NewCaller(t, tls.Client(dial(t, p).Bytes(), old))
	callers := map[string]*harness.Caller{"kept": kept, "inside a CONNECT": inside, "inside TLS": terminated}
	ask := func(status int, reason string) {
		t.Helper()
		for name, c := range callers {
			if answer := c.Send(inner).Answer("GET"); answer.StatusCode != status || answer.Problem() != reason || answer.Close {
				t.Errorf("%s: answered %d %q, close %v", name, answer.StatusCode, answer.Problem(), answer.Close)
			}
		}
	}
	ask(404, "")
	before := server.Count()
	reload(barred)
	ask(403, "acl")
	if answer := connecting.Send("CONNECT " + legacyHost + ":443 HTTP/1.1\r\n\r\n").Answer("CONNECT"); answer.StatusCode != 403 || answer.Problem() != "acl" {
		t.Errorf("a CONNECT: answered %d %q", answer.StatusCode, answer.Problem())
	}
	if answer := unasked.Send(inner).Answer("GET"); answer.StatusCode != 403 || answer.Problem() != "acl" {
		t.Errorf("a first request: answered %d %q", answer.StatusCode, answer.Problem())
	}
	if err := tls.Client(silent.Bytes(), old).Handshake(); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("a first hello: %v", err)
	}
	p.WaitMetric(6, "tlslift_denied_total", "reason", "acl")
	if n := server.Count(); n != before {
		t.Errorf("%d requests were sent for a caller that is barred", n-before)
	}
	reload(allowed)
	ask(404, "")
}

// freePort is an address of this host that nothing listens on. It is on a host of
// its own within loopback, where no other test takes the port meanwhile.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.77.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestReloadThatCannotListen: the reload is refused as a whole, with the file's
// line and key; what was open stays, and nothing else is.
func TestReloadThatCannotListen(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	first, second := freePort(t), freePort(t)
	_, p := portal(t, smsportal.Options{}, fmt.Sprintf("listen: [{address: %q}]\nothers: refuse", first))
	mark := p.Mark()
	p.Reconfigure(fmt.Sprintf("listen: [{address: %q}, {address: %q}]\nothers: pass", second, taken.Addr()))
	line := p.WaitLogAfter(mark, harness.Match{"msg": "reload refused, the old configuration stays"})
	problems := line.String("problems")
	for _, want := range []string{filepath.Base(p.Config) + ":", "listen[1].address", taken.Addr().String(), "address already in use"} {
		if !strings.Contains(problems, want) {
			t.Errorf("the problem lacks %q: %s", want, problems)
		}
	}
	if got := p.Metrics().Sum("tlslift_config_last_reload_successful"); got != 0 {
		t.Errorf("last reload successful is %v", got)
	}
	if answer := harness.Dial(t, first).Send(getA).Answer("GET"); answer.Problem() != "" {
		t.Errorf("the old listener: %d %q", answer.StatusCode, answer.Problem())
	}
	if answer := harness.Dial(t, first).Send("GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET"); answer.Problem() != "host" {
		t.Errorf("the old settings: %d %q", answer.StatusCode, answer.Problem())
	}
	if _, err := net.DialTimeout("tcp", second, harness.Patience); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the refused listener: %v", err)
	}
}

// TestReloadOntoAnAddressOfOurOwn: the problem says what of this process has it.
func TestReloadOntoAnAddressOfOurOwn(t *testing.T) {
	t.Parallel()
	const anyPort = "127.0.0.1:0"
	first := freePort(t)
	_, p := portal(t, smsportal.Options{}, fmt.Sprintf("listen: [{address: %q}, {address: %q}]", first, anyPort))
	_, port, _ := net.SplitHostPort(first)
	for wanted, want := range map[string]string{
		"0.0.0.0:" + port: "this tlslift listens there already, as " + first + "; remove " + first + " in a separate reload first",
		p.ListenAddr(1):   "this tlslift listens there already, as " + anyPort,
		p.AdminAddr():     "the admin side of this tlslift listens there, on " + anyPort + "; choose another port",
	} {
		mark := p.Mark()
		p.Reconfigure(fmt.Sprintf("listen: [{address: %q}]", wanted))
		line := p.WaitLogAfter(mark, harness.Match{"msg": "reload refused, the old configuration stays"})
		if problems := line.String("problems"); !strings.Contains(problems, "cannot listen on "+wanted+": "+want) || strings.Contains(problems, "another tlslift") {
			t.Errorf("the problem lacks %q: %s", want, problems)
		}
	}
}

// TestRemovedListenerLetsTunnelsBe: a tunnel through a listener that is removed
// goes on.
func TestRemovedListenerLetsTunnelsBe(t *testing.T) {
	t.Parallel()
	echo, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 64)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			_, _ = conn.Write(buf[:n])
		}
	}()
	gone := freePort(t)
	_, p := portal(t, smsportal.Options{}, fmt.Sprintf("listen: [{address: %q}, {address: \"127.0.0.1:0\"}]\nothers: pass", gone))
	in := harness.Dial(t, gone).Tunnel(echo.Addr().String())
	in.Send("before\n")
	if got := in.ReadLine(); got != "before\n" {
		t.Fatalf("got %q", got)
	}
	mark := p.Mark()
	p.Reconfigure("listen: [{address: \"127.0.0.1:0\"}]\nothers: pass")
	p.WaitLogAfter(mark, harness.Match{"msg": "no longer listening", "address": gone})
	timer := time.NewTimer(1500 * time.Millisecond) // a drain would have ended it
	<-timer.C
	in.Send("after\n")
	if got := in.ReadLine(); got != "after\n" {
		t.Errorf("got %q", got)
	}
}
