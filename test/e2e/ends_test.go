package e2e

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestTunnelsSayHowTheyEnded, and claim no delivery, which nobody can know.
func TestTunnelsSayHowTheyEnded(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // a server that does what the first byte says
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				order := make([]byte, 1)
				_, _ = io.ReadFull(conn, order)
				switch order[0] {
				case 'r':
					_ = conn.(*net.TCPConn).SetLinger(0)
				case 'h':
					_, _ = io.Copy(io.Discard, conn)
				}
			}()
		}
	}()
	foreign := listener.Addr().String()
	_, p := portal(t, smsportal.Options{}, "others: pass")
	_, hasty := portal(t, smsportal.Options{}, "others: pass\nlimits: {tunnel_idle_timeout: 1s}")
	_, q := portal(t, smsportal.Options{}, "others: pass\nlimits: {drain_timeout: 1s}")
	for _, tt := range []struct {
		end string
		p   *harness.Process
		do  func(c *harness.Caller)
	}{
		{"closed", p, func(c *harness.Caller) { c.Send("c").Rest(); c.Close() }},
		{"reset_by_upstream", p, func(c *harness.Caller) { c.Send("r") }},
		{"reset_by_client", p, func(c *harness.Caller) { c.Send("h").Reset() }},
		{"idle", hasty, func(c *harness.Caller) { c.Send("h") }},
		{"cut", q, func(c *harness.Caller) { c.Send("h"); q.Signal(syscall.SIGTERM) }},
	} {
		mark := tt.p.Mark()
		tt.do(harness.Dial(t, tt.p.Addr()).Tunnel(foreign))
		line := tt.p.WaitLogAfter(mark, harness.Match{"msg": "tunnel", "handling": "tunnelled"})
		if _, claims := line["delivery"]; claims || line.String("end") != tt.end {
			t.Errorf("%s: %v", tt.end, line)
		}
	}
	if code := q.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestDeliveryOfAStreamedAnswer is that of its end: a caller that leaves before
// it has not got a complete answer.
func TestDeliveryOfAStreamedAnswer(t *testing.T) {
	t.Parallel()
	large := []byte(strings.Repeat("x", 50<<20))
	_, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Body: large}, true
	}}, "")
	c := harness.Dial(t, p.Addr()).Send("GET " + api + "/left HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.ReadFull(c.Bytes(), make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	if line := p.WaitLog(harness.Match{"msg": "request", "path": "/left"}); line.String("delivery") != "answered" || line.String("client_gone") != "true" ||
		line.String("level") != "info" || line.String("error") != "" {
		t.Errorf("the log says %v", line)
	}
	if n := p.Metrics().Sum("tlslift_upstream_failures_total"); n != 0 {
		t.Errorf("%v failures of the upstream", n)
	}
	harness.Dial(t, p.Addr()).Send("GET " + api + "/read HTTP/1.0\r\nHost: x\r\n\r\n").Rest()
	if line := p.WaitLog(harness.Match{"msg": "request", "path": "/read"}); line.String("delivery") != "answered" {
		t.Errorf("the log says %v", line)
	}
}

// TestALongAnswerWithoutItsBeginning: as long as a caller has got nothing of an answer
// that is passed on as it comes, a failure is a complete answer. Java and Ruby send
// again if a connection ends without one.
func TestALongAnswerWithoutItsBeginning(t *testing.T) {
	t.Parallel()
	const long, little = "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n"
	for name, tt := range map[string]struct {
		action fault.Action
		status int
		reason string
	}{
		"close":               {fault.Raw("long", long, fault.Close), 502, "reset"},
		"cut":                 {fault.Raw("long", long, fault.Cut), 502, "reset"},
		"reset":               {fault.Raw("long", long, fault.Reset), 502, "reset"},
		"stall":               {fault.StallAfter(long), 504, "timeout"},
		"not passed on yet":   {fault.Raw("little", little+strings.Repeat("x", 1000), fault.Cut), 502, "reset"},
		"stalls in the midst": {fault.StallAfter(little + strings.Repeat("x", 1000)), 504, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startFault(t, fault.Options{Script: fault.Always(tt.action)})
			p := harness.Start(t, harness.Options{Upstream: server, Config: "limits: {response_buffer: 1KiB, body_timeout: 500ms}"})
			c := harness.Dial(t, p.Addr()).Send("GET " + api + "/long HTTP/1.1\r\nHost: x\r\n\r\n")
			answer := c.Answer("GET")
			if answer.StatusCode != tt.status || answer.Header.Get("Tlslift-Error") != tt.reason || answer.Header.Get("Tlslift-Delivery") != "unknown" {
				t.Errorf("%d %v", answer.StatusCode, answer.Header)
			}
			line := p.WaitLog(harness.Match{"msg": "request", "path": "/long"})
			if line.String("level") != "error" || line.String("error") != tt.reason || line.String("delivery") != "unknown" || line.String("origin") != "tlslift" || line.String("status") != strconv.Itoa(tt.status) {
				t.Errorf("the log says %v", line)
			}
			c.Send("GET " + api + "/again HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET") // the connection goes on
			if n := server.Count("/long"); n != 1 {
				t.Errorf("sent %d times", n)
			}
		})
	}
}

// TestAStreamOfEventsBegins before its first event.
func TestAStreamOfEventsBegins(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Script: fault.Always(fault.StallAfter("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"))})
	p := harness.Start(t, harness.Options{Upstream: server})
	if answer := harness.Dial(t, p.Addr()).Send("GET " + api + "/events HTTP/1.1\r\nHost: x\r\n\r\n").Stream("GET"); answer.StatusCode != 200 {
		t.Errorf("%d", answer.StatusCode)
	}
}

// TestAStreamOfEventsEndsWithItsCaller: nothing is in doubt then.
func TestAStreamOfEventsEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	server := startFault(t, fault.Options{Script: fault.Always(fault.Events("data: 1\n\n", goOn, strings.Repeat("data: 2\n\n", 1<<20), false))})
	p := harness.Start(t, harness.Options{Upstream: server})
	c := harness.Dial(t, p.Addr()).Send("GET " + api + "/events HTTP/1.1\r\nHost: x\r\n\r\n")
	c.Stream("GET")
	c.Reset()
	close(goOn)
	if line := p.WaitLog(harness.Match{"msg": "request", "path": "/events"}); line.String("delivery") != "answered" || line.String("client_gone") != "true" || line.String("error") != "" {
		t.Errorf("the log says %v", line)
	}
	if n := p.Metrics().Sum("tlslift_upstream_failures_total"); n != 0 {
		t.Errorf("%v failures of the upstream", n)
	}
}

// TestAForeignDownloadThatIsLeft: it is no message, so nothing is in doubt.
func TestAForeignDownloadThatIsLeft(t *testing.T) {
	t.Parallel()
	large := []byte(strings.Repeat("x", 50<<20))
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(large) }))
	t.Cleanup(foreign.Close)
	_, p := portal(t, smsportal.Options{}, "others: pass")
	c := harness.Dial(t, p.Addr()).Send("GET " + foreign.URL + "/left HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.ReadFull(c.Bytes(), make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	line := p.WaitLog(harness.Match{"msg": "request", "path": "/left"})
	if line.String("delivery") != "answered" || line.String("client_gone") != "true" || line.String("level") != "info" || line.String("error") != "" {
		t.Errorf("the log says %v", line)
	}
	if n := p.Metrics().Sum("tlslift_upstream_failures_total"); n != 0 {
		t.Errorf("%v failures of the upstream", n)
	}
}

// A tunnel whose only request is refused is one refused connection, in the log too.
func TestATunnelWithNothingButRefusals(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	dial(t, p).Tunnel("api.smsportal.com:443").Send("no request\r\n\r\n").Answer("GET")
	p.WaitLog(harness.Match{"msg": "tunnel", "handling": "refused", "end": "closed"})
	p.WaitMetric(1, "tlslift_client_connections_total", "ingress", "connect", "handling", "refused")
	if n := p.Metrics().Sum("tlslift_client_connections_total"); n != 1 {
		t.Errorf("%v connections were counted", n)
	}
}

// TestACallerThatResetsItsTunnel while its request is answered, or refused, ends it:
// the upstream did not.
func TestACallerThatResetsItsTunnel(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	server := startFault(t, fault.Options{Script: fault.Always(fault.Hold(goOn))})
	p := harness.Start(t, harness.Options{Upstream: server})
	mark := p.Mark()
	c := dial(t, p).Tunnel("api.smsportal.com:443").Send("GET /held HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n")
	if err := server.Wait(patience(t), "/held", 1); err != nil {
		t.Fatal(err)
	}
	c.Reset()
	close(goOn)
	p.WaitLogAfter(mark, harness.Match{"msg": "request", "path": "/held", "delivery": "answered", "client_gone": true})
	if line := p.WaitLogAfter(mark, harness.Match{"msg": "tunnel", "handling": "plain"}); line.String("end") != "reset_by_client" {
		t.Errorf("the log says %v", line)
	}
}
