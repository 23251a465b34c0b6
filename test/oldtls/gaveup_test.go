//go:build linux

package oldtls

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// TestCallersThatGaveUp: over TLS a close_notify or a FIN means that the caller
// left, whenever it comes, so a request that still waits is not sent.
func TestCallersThatGaveUp(t *testing.T) {
	t.Parallel()
	closeNotify := func(c secured) { _ = c.tls.CloseWrite() } // and no FIN
	hangUp := func(c secured) { _ = c.tls.NetConn().Close() }
	departures := []struct {
		name       string
		soon, late func(secured)
		sent       bool
	}{
		{name: "hangs-up", late: hangUp},
		{name: "hangs-up-at-once", soon: hangUp},
		{name: "resets", late: func(c secured) { _ = c.tls.NetConn().(*net.TCPConn).SetLinger(0); hangUp(c) }},
		{name: "says-goodbye", late: closeNotify},
		{name: "says-goodbye-at-once", soon: closeNotify},
		{name: "sends-more-and-says-goodbye", soon: func(c secured) { c.Send("\r\n") }, late: closeNotify},
		{name: "sends-more-and-stays", soon: func(c secured) { c.Send("\r\n") }, sent: true},
		{name: "stays", sent: true},
	}
	release := make(chan struct{})
	server, err := fault.New(fault.Options{Script: func(x *fault.Exchange) fault.Action {
		if x.Seen.Target == "/slow" {
			return fault.Hold(release)
		}
		return fault.Answer("ok")
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	files := sharedCA(t)
	s := &stage{client: "caller-0", ours: poolOf(t, files.Root)}
	s.Process = harness.Start(t, harness.Options{
		Upstream: server, Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
		Config: callers(1) + "upstream: {max_connections: 1, warm_connections: 0, dial_timeout: 25s}\nlegacy_tls: {terminate_clients: [caller-0]}",
	})

	type waiting struct {
		secured
		path string
		want harness.Match
	}
	var all []waiting
	for _, w := range ways {
		for _, version := range append(oldVersions, modern...) {
			for _, d := range departures {
				path := fmt.Sprintf("/%s-%s-%s", w.name, words[version], d.name)
				want := harness.Match{"path": path, "status": 502, "error": "client_gone", "delivery": "not_sent", "client_gone": true, "tls_version": words[version]}
				if d.sent {
					want = harness.Match{"path": path, "status": 200, "error": "", "delivery": "answered", "client_gone": false}
				}
				all = append(all, waiting{s.hello(t, w, legacy, speaking(version, s.ours, legacy)), path, want})
			}
		}
	}
	harness.Dial(t, s.ListenAddr(0)).Send("GET http://" + legacy + "/slow HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := server.Wait(t.Context(), "/slow", 1); err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		c.Send(ask(legacy, c.path))
		if soon := departures[i%len(departures)].soon; soon != nil {
			soon(c.secured)
		}
	}
	// Long enough for a request that waited to be asked for its caller. Each
	// connection's first is in any case.
	<-time.After(60 * time.Millisecond)
	for i, c := range all {
		if late := departures[i%len(departures)].late; late != nil {
			late(c.secured)
		}
	}
	close(release)
	gone := 0.0
	for _, c := range all {
		s.WaitLog(c.want)
		count := 1
		if c.want["status"] == 502 {
			gone++
			count = 0
		}
		if n := server.Count(c.path + " "); n != count {
			t.Errorf("%s: the upstream received it %d times, want %d", c.path, n, count)
		}
		if strings.Contains(c.path, "goodbye") { // it still reads
			if answer, err := c.TryAnswer("GET"); err != nil || answer.Problem() != "client_gone" || answer.Delivery() != "not_sent" || !answer.Close {
				t.Errorf("%s: answered %d %q, %v", c.path, answer.StatusCode, answer.Problem(), err)
			}
		}
		if count == 1 {
			if answer := c.Answer("GET"); answer.StatusCode != 200 || answer.Text != "ok" {
				t.Errorf("%s: answered %d %q", c.path, answer.StatusCode, answer.Problem())
			}
		}
	}
	s.WaitMetric(gone, "tlslift_denied_total", "reason", "client_gone")
}
