//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// echoServer sends back what it gets, and returns its address.
func echoServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

// notified is a socket of the test's own in systemd's place. It returns its path
// and what was said to it so far.
func notified(t *testing.T) (path string, said chan string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	said = make(chan string, 100)
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			said <- string(buf[:n])
		}
	}()
	return path, said
}

// upgrading is a tlslift with a ledger, an upstream for sends, and one
// (slow.smsportal.com) that holds requests until release is closed.
func upgrading(t *testing.T, config string, env ...string) (server *smsportal.Server, slow *fault.Server, release chan struct{}, p *harness.Process) {
	t.Helper()
	server = startPortal(t, smsportal.Options{})
	release = make(chan struct{})
	slow = startFault(t, fault.Options{Script: fault.Always(fault.Hold(release))})
	ca := harness.TempFile(t, "ca.pem", string(server.CAPEM()))
	slowCA := harness.TempFile(t, "slow-ca.pem", string(slow.CAPEM()))
	p = harness.Start(t, harness.Options{
		Config: "state: {file: ledger.json}\nothers: pass\nupstream: {dial_timeout: 1m, tls_timeout: 1m}\nupstreams:\n  " + harness.UpstreamEntry("slow.smsportal.com", slow, slowCA, "") +
			"  " + harness.UpstreamEntry("api.smsportal.com", server, ca, "") + config,
		Env: env,
	})
	return server, slow, release, p
}

const slowCall = "GET http://slow.smsportal.com/slow HTTP/1.1\r\nHost: x\r\n\r\n"

// TestUpgrade: two upgrades amid traffic, with a slow call, a tunnel and an idle
// caller from before them. Nobody is refused, nothing is sent twice, and
// everything is counted.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	notify, said := notified(t)
	server, slow, release, p := upgrading(t, "", "NOTIFY_SOCKET="+notify)
	echo := echoServer(t)
	first := p.PID()
	idle := dial(t, p)
	idle.Send(getA).Answer("GET")
	in := dial(t, p).Tunnel(echo)
	held := dial(t, p).Send(slowCall)
	if err := slow.Wait(patience(t), "/slow", 1); err != nil {
		t.Fatal(err)
	}
	l := startLoadAt(p.Addr(), 4, true)
	for i := range 2 {
		l.waitFor(t, int64(100*(i+1)))
		p.Upgrade()
		l.waitFor(t, int64(100*(i+1))+50)
	}
	if p.PID() == first {
		t.Fatal("nothing was upgraded")
	}
	if status, body := p.Get("/readyz"); status != 200 || strings.TrimSpace(body) != "ready" {
		t.Errorf("readyz: %d %q", status, body)
	}
	in.Send("still here\n")
	if got := in.ReadLine(); got != "still here\n" {
		t.Errorf("the tunnel says %q", got)
	}
	if answer := idle.Send(getA).Answer("GET"); answer.Problem() != "" || !answer.Close {
		t.Errorf("the idle caller: %d %q, close %v", answer.StatusCode, answer.Problem(), answer.Close)
	}
	idle.ExpectClosed()
	l.end()
	l.judge(t, server, false)
	close(release)
	if answer := held.Answer("GET"); answer.StatusCode != 200 || !answer.Close {
		t.Errorf("the slow call: %d %q, close %v", answer.StatusCode, answer.Problem(), answer.Close)
	}
	in.Close()
	p.WaitLogs(0, harness.Match{"msg": "stopped", "cut": 0}, 2) // both old processes
	p.WaitMetric(1, "tlslift_responses_total", "upstream", "slow.smsportal.com", "origin", "upstream")
	p.Stop()

	var mainPIDs []string
	for len(mainPIDs) < 2 {
		select {
		case text := <-said:
			if pid, found := strings.CutPrefix(text, "MAINPID="); found {
				mainPIDs = append(mainPIDs, pid)
			}
		case <-time.After(harness.Patience):
			t.Fatalf("systemd was told of %v alone", mainPIDs)
		}
	}
	if mainPIDs[1] != fmt.Sprint(p.PID()) {
		t.Errorf("systemd was told of %v; %d serves", mainPIDs, p.PID())
	}
	logged := 0
	for _, line := range p.Lines(0, harness.Match{"msg": "request"}) {
		if line.String("method") != http.MethodConnect {
			logged++
		}
	}
	if counted := ledgerRequests(t, filepath.Join(p.Dir, "ledger.json")); counted != logged {
		t.Errorf("the ledger counts %d requests, the log %d", counted, logged)
	}
}

// ledgerRequests is how many requests a ledger's file counts.
func ledgerRequests(t *testing.T, file string) (total int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var row struct {
			Counts []struct {
				Of string `json:"of"`
				N  int    `json:"n"`
			} `json:"counts"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		for _, c := range row.Counts {
			if c.Of == "requests" {
				total += c.N
			}
		}
	}
	return total
}

// TestUpgradeThatFails: the old process goes on, says why, and can be upgraded
// later.
func TestUpgradeThatFails(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, p *harness.Process){
		"bad configuration": func(t *testing.T, p *harness.Process) { harness.WriteFile(t, p.Config, "listen: [\n") },
		"cannot listen": func(t *testing.T, p *harness.Process) {
			text, err := os.ReadFile(p.Config)
			if err != nil {
				t.Fatal(err)
			}
			harness.WriteFile(t, p.Config, strings.Replace(string(text), "127.0.0.1:0", "192.0.2.1:1", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _, _, p := upgrading(t, "")
			before, err := os.ReadFile(p.Config)
			if err != nil {
				t.Fatal(err)
			}
			l := startLoadAt(p.Addr(), 2, true)
			l.waitFor(t, 20)
			mark := p.Mark()
			spoil(t, p)
			p.Signal(syscall.SIGUSR2)
			line := p.WaitLogAfter(mark, harness.Match{"msg": "upgrade failed, this process keeps serving", "level": "error"})
			if !strings.Contains(line.String("error"), "it ended before it was ready") || !strings.Contains(line.String("error"), "exit status") {
				t.Errorf("the error says %q", line.String("error"))
			}
			if status, body := p.Get("/"); status != 200 || !strings.Contains(body, "The last upgrade failed") {
				t.Errorf("the status page does not say so: %d", status)
			}
			harness.WriteFile(t, p.Config, string(before))
			l.waitFor(t, 100)
			p.Upgrade()
			l.waitFor(t, 150)
			l.end()
			l.judge(t, server, false)
			p.WaitLogs(0, harness.Match{"msg": "stopped", "cut": 0}, 1)
			p.Stop()
			if counted, logged := ledgerRequests(t, filepath.Join(p.Dir, "ledger.json")), len(p.Lines(0, harness.Match{"msg": "request"})); counted != logged {
				t.Errorf("the ledger counts %d requests, the log %d", counted, logged)
			}
		})
	}
}

// TestUpgradeKeepsHashedAccounts: a client that is named by a hash with the key
// made at the start keeps its name, and its row.
func TestUpgradeKeepsHashedAccounts(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "state: {file: ledger.json}\nclients: {account: hash}")
	name := func(id string) string {
		t.Helper()
		mark := p.Mark()
		p.Ask("GET " + api + sendPath(id) + " HTTP/1.1\r\nHost: x\r\n\r\n")
		return p.WaitLogAfter(mark, harness.Match{"msg": "request"}).String("client")
	}
	before := name("before")
	p.Upgrade()
	if after := name("after"); after != before || strings.HasPrefix(after, "127.") {
		t.Errorf("the client is called %q after the upgrade, %q before", after, before)
	}
	if sendsOf(server, "before") != 1 || sendsOf(server, "after") != 1 {
		t.Error("a message was not sent once")
	}
}

// TestUpgradeToAnotherProgram: what takes no part in the conversation is ended,
// and the old process goes on.
func TestUpgradeToAnotherProgram(t *testing.T) {
	t.Parallel()
	// The test's own copy, to put something else in its place.
	program := filepath.Join(t.TempDir(), "tlslift")
	text, err := os.ReadFile(harness.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	put := func(text []byte) {
		if err := os.WriteFile(program+".next", text, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(program+".next", program); err != nil {
			t.Fatal(err)
		}
	}
	put(text)
	p := harness.Start(t, harness.Options{Upstream: startPortal(t, smsportal.Options{}), Program: program})
	for _, other := range []string{"#!/bin/sh\nexit 0\n", "#!/no/such/program\n", "no program at all"} {
		put([]byte(other))
		mark := p.Mark()
		p.Signal(syscall.SIGUSR2)
		p.WaitLogAfter(mark, harness.Match{"msg": "upgrade failed, this process keeps serving"})
		if answer := p.Ask(getA); answer.Problem() != "" {
			t.Errorf("after %q: %d %q", other, answer.StatusCode, answer.Problem())
		}
	}
	// One that says nothing: a second signal, and SIGTERM, are not held up by it.
	put([]byte("#!/bin/sh\nexec sleep 1000\n"))
	mark := p.Mark()
	p.Signal(syscall.SIGUSR2)
	p.WaitLogAfter(mark, harness.Match{"msg": "upgrading", "program": program})
	p.Signal(syscall.SIGUSR2)
	p.WaitLogAfter(mark, harness.Match{"msg": "an upgrade is already in progress"})
	if code := p.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestStopWhileUpgraded: SIGTERM to the new process ends both; the slow call of
// the old one is cut with an answer, and counted.
func TestStopWhileUpgraded(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(p *harness.Process, old int){
		"the new one": func(p *harness.Process, _ int) { p.Signal(syscall.SIGTERM) },
		"both":        func(p *harness.Process, old int) { _ = syscall.Kill(old, syscall.SIGTERM); p.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, slow, _, p := upgrading(t, "limits: {drain_timeout: 2s}")
			held := dial(t, p).Send(slowCall)
			if err := slow.Wait(patience(t), "/slow", 1); err != nil {
				t.Fatal(err)
			}
			old := p.PID()
			p.Upgrade()
			stop(p, old)
			if answer := held.Answer("GET"); answer.StatusCode != 504 || answer.Delivery() != "unknown" {
				t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			if code := p.Wait(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			p.WaitLogs(0, harness.Match{"msg": "stopped"}, 2)
			if counted := ledgerRequests(t, filepath.Join(p.Dir, "ledger.json")); counted != 1 {
				t.Errorf("the ledger counts %d requests", counted)
			}
		})
	}
}

// TestSignalToEveryProcess: a service manager sends one SIGTERM to each process. The
// old one may have heard of it from the new one before: it still finishes its call.
func TestSignalToEveryProcess(t *testing.T) {
	t.Parallel()
	_, slow, release, p := upgrading(t, "limits: {drain_timeout: 80s}")
	held := dial(t, p).Send(slowCall)
	if err := slow.Wait(patience(t), "/slow", 1); err != nil {
		t.Fatal(err)
	}
	old := p.PID()
	mark := p.Upgrade()
	p.Signal(syscall.SIGTERM)
	p.WaitLogAfter(mark, harness.Match{"msg": "draining", "why": "upgraded"})
	_ = syscall.Kill(old, syscall.SIGTERM)
	p.WaitLogAfter(mark, onceMore)
	close(release)
	if answer := held.Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
	if code := p.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	p.WaitLogs(mark, harness.Match{"msg": "stopped", "cut": 0}, 2)
}

// TestOldProcessIsKilled: what it still had is not counted, and the log of the new
// one says so.
func TestOldProcessIsKilled(t *testing.T) {
	t.Parallel()
	_, slow, _, p := upgrading(t, "")
	mark := p.Upgrade() // the process that the test started is not the one to be killed
	p.WaitLogAfter(mark, harness.Match{"msg": "stopped", "cut": 0})
	held := dial(t, p).Send(slowCall)
	if err := slow.Wait(patience(t), "/slow", 1); err != nil {
		t.Fatal(err)
	}
	old := p.PID()
	mark = p.Upgrade()
	_ = syscall.Kill(old, syscall.SIGKILL)
	held.ExpectClosed()
	p.WaitLogAfter(mark, harness.Match{
		"level": "error", "msg": "some calls of the previous process may not be counted",
		"error": "hear what the old process counts: it ended without saying that it was done",
	})
	if answer := p.Ask(getA); answer.Problem() != "" {
		t.Errorf("the new process: %d %q", answer.StatusCode, answer.Problem())
	}
}

// TestUpgradeWhileTheLogIsNotRead: the new process counts the lines that the old one
// could not write, and no line is torn.
func TestUpgradeWhileTheLogIsNotRead(t *testing.T) {
	t.Parallel()
	torn := make(chan string, 1000)
	p := harness.Start(t, harness.Options{Upstream: doubtful(t), Watch: func(raw string, fields harness.Line) bool {
		if fields == nil {
			torn <- raw
		}
		return true
	}})
	p.AdminAddr() // while the log is read
	p.Addr()
	mark := p.Mark()
	p.HoldLog()
	const calls = 500 // whose lines no pipe holds
	in := dial(t, p)
	for range calls {
		in.Send(get("/call" + strings.Repeat("/a", 500))).Answer("GET")
	}
	in.Close()
	p.Signal(syscall.SIGUSR2)
	<-p.Ended()
	p.WaitMetric(1, linesLost)
	lost := p.Metrics().Sum(linesLost)
	p.ReleaseLog()
	p.Upgraded(mark)
	if line := p.WaitLogAfter(mark, harness.Match{"msg": "log lines lost"}); line.String("lines") != asText(lost) {
		t.Errorf("%v lines are lost, and the log says %v", lost, line)
	}
	missing := calls - len(p.Lines(mark, harness.Match{"msg": "request"}))
	// The old process wrote others as well: upgrading, upgraded, stopped.
	if n := int(lost); n < missing || n > missing+3 {
		t.Errorf("%d lines are lost, and %d of requests are missing", n, missing)
	}
	if len(torn) > 0 {
		t.Errorf("torn: %s", <-torn)
	}
}

// TestOldProcessEndsInTime: limits.upgrade_timeout ends what does not end by
// itself, and SIGTERM to the old process does so sooner; the new one serves on.
func TestOldProcessEndsInTime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits string
		signal bool
	}{
		"by itself":  {"{upgrade_timeout: 2s, drain_timeout: 1s}", false},
		"by SIGTERM": {"{drain_timeout: 1s}", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, slow, _, p := upgrading(t, "limits: "+c.limits)
			held := dial(t, p).Send(slowCall)
			if err := slow.Wait(patience(t), "/slow", 1); err != nil {
				t.Fatal(err)
			}
			idle := dial(t, p)
			idle.Send(getA).Answer("GET")
			old := p.PID()
			mark := p.Upgrade()
			if c.signal {
				_ = syscall.Kill(old, syscall.SIGUSR2) // which changes nothing
				p.WaitLogAfter(mark, harness.Match{"msg": "another process serves; this one only finishes what it has"})
				_ = syscall.Kill(old, syscall.SIGTERM)
			}
			if answer := held.Answer("GET"); answer.StatusCode != 504 || answer.Delivery() != "unknown" {
				t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			idle.ExpectClosed()
			p.WaitLogAfter(mark, harness.Match{"msg": "stopped", "cut": 1})
			if answer := p.Ask(getA); answer.Problem() != "" {
				t.Errorf("the new process: %d %q", answer.StatusCode, answer.Problem())
			}
		})
	}
}
