package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestSizes: each over its limit is told so, and one below it passes.
func TestSizes(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "limits: {header_bytes: 4KiB, body_bytes: 2KiB}")
	const host = "Host: api.smsportal.com\r\n"
	chunked := func(n int) string {
		return "POST /a HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", n, strings.Repeat("b", n))
	}
	for name, request := range map[string]string{
		"target":  "GET /" + strings.Repeat("a", 3000) + " HTTP/1.1\r\n" + host + "\r\n",
		"header":  "GET /a HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 3000) + "\r\n\r\n",
		"length":  "POST /a HTTP/1.1\r\n" + host + "Content-Length: 2048\r\n\r\n" + strings.Repeat("b", 2048),
		"chunked": chunked(2048),
	} {
		t.Run(name+" within", func(t *testing.T) {
			if answer := p.In(t).Ask(request); answer.Problem() != "" {
				t.Errorf("%d %q", answer.StatusCode, answer.Problem())
			}
		})
	}
	for _, r := range []refusal{
		{name: "target", in: "GET /" + strings.Repeat("a", 5000) + " HTTP/1.1\r\n" + host + "\r\n", status: 414},
		{name: "endless target", in: "GET /" + strings.Repeat("a", 200_000), status: 414},
		{name: "header", in: "GET /a HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 5000) + "\r\n\r\n", status: 431},
		{name: "many headers", in: "GET /a HTTP/1.1\r\n" + host + strings.Repeat("X: a\r\n", 1000) + "\r\n", status: 431},
		{name: "endless header", in: "GET /a HTTP/1.1\r\n" + host + "X: " + strings.Repeat("a", 200_000), status: 431},
		{name: "length", in: "POST /a HTTP/1.1\r\n" + host + "Content-Length: 2049\r\n\r\n" + strings.Repeat("b", 2049), status: 413},
		{name: "length only announced", in: "POST /a HTTP/1.1\r\n" + host + "Content-Length: 999999999999\r\n\r\n", status: 413},
		{name: "length beyond all numbers", in: "POST /a HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", status: 413},
		{name: "length, expecting 100", in: "POST /a HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 2049\r\n\r\n", status: 413},
	} {
		t.Run(r.name+" over", func(t *testing.T) {
			r.reason = "too_large"
			r.check(t, p, server, dial(t, p))
		})
	}
	t.Run("chunked over", func(t *testing.T) {
		server.Reset()
		answer := p.In(t).Ask(chunked(5000))
		if answer.StatusCode != 413 || answer.Problem() != "too_large" {
			t.Errorf("%d %q", answer.StatusCode, answer.Problem())
		}
		for _, got := range server.Requests() {
			if got.Complete {
				t.Error("the upstream received a whole request")
			}
		}
	})
}

// TestSlowCallersAreTimedOut: a head or a body that does not arrive.
func TestSlowCallersAreTimedOut(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "limits: {header_timeout: 1s, body_timeout: 1s, idle_timeout: 1s}")
	for _, r := range []refusal{
		{name: "half a request line", in: "GET /a HT", status: 408, reason: "client_timeout"},
		{name: "half a head", in: "GET /a HTTP/1.1\r\nHost: api.sms", status: 408, reason: "client_timeout"},
	} {
		t.Run(r.name, func(t *testing.T) { r.check(t, p, server, dial(t, p)) })
		t.Run(r.name+" in a tunnel", func(t *testing.T) { r.check(t, p, server, dial(t, p).Tunnel("api.smsportal.com:443")) })
	}
	for _, line := range p.WaitLogs(0, harness.Match{"msg": "request", "error": "client_timeout"}, 4) {
		if ms, err := strconv.ParseFloat(line.String("duration_ms"), 64); err != nil || ms < 1000 { // it was waited for
			t.Errorf("the log says %v", line)
		}
	}
	for name, start := range map[string]string{
		"half a body":        "Content-Length: 1000\r\n\r\nhalf",
		"half a chunked one": "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			server.Reset()
			in := dial(t, p).Send("POST " + api + "/slow HTTP/1.1\r\nHost: x\r\n" + start)
			answer := in.Answer("POST")
			if answer.StatusCode != 408 || answer.Problem() != "client_timeout" || answer.Delivery() == "" {
				t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			in.ExpectClosed()
			for _, got := range server.Requests() {
				if got.Complete {
					t.Error("the upstream received a whole request")
				}
			}
		})
	}
	t.Run("nothing at all", func(t *testing.T) { dial(t, p).ExpectClosed() })
	t.Run("nothing more", func(t *testing.T) {
		in := dial(t, p)
		in.Send("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET")
		in.ExpectClosed()
	})
}

// TestProgressIsNotTimedOut: a body that comes slowly but steadily is waited
// for, however long it takes in all.
func TestProgressIsNotTimedOut(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "limits: {body_timeout: 10s}")
	in := dial(t, p).Send("POST " + api + "/drip HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n")
	ticker := time.NewTicker(time.Second) // 12 s in all
	defer ticker.Stop()
	for range 12 {
		<-ticker.C
		in.Send("x")
	}
	if answer := in.Answer("POST"); answer.Problem() != "" {
		t.Errorf("%d %q", answer.StatusCode, answer.Problem())
	}
	if got := server.Requests(); len(got) != 1 || string(got[0].Body) != "xxxxxxxxxxxx" {
		t.Errorf("%d requests", len(got))
	}
}

// TestConnectionLimits: one client too many, and one over its share of the last
// places, are told 503 with Retry-After, whatever they say; a place is free again
// as soon as one leaves.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{
		"share":      "limits: {connections: 8}",
		"per client": "limits: {connections_per_client: 7}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p := portal(t, smsportal.Options{}, config)
			request := "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
			var open []*harness.Caller
			for range 7 {
				c := dial(t, p)
				c.Send(request).Answer("GET")
				open = append(open, c)
			}
			for i, said := range []string{request, "GET /a HT", ""} {
				over := dial(t, p)
				answer := over.Send(said).Answer("GET")
				if answer.StatusCode != 503 || answer.Problem() != "limit" || answer.Delivery() != "not_sent" || answer.Header.Get("Retry-After") == "" {
					t.Errorf("%q: %d %q %q Retry-After %q", said, answer.StatusCode, answer.Problem(), answer.Delivery(), answer.Header.Get("Retry-After"))
				}
				over.ExpectClosed()
				over.Close()
				p.WaitMetric(float64(i+1), "tlslift_denied_total", "reason", "limit")
				p.WaitLogs(0, harness.Match{"msg": "request", "status": 503, "error": "limit", "delivery": "not_sent"}, i+1)
				p.WaitMetric(7, "tlslift_open_connections") // the refused one has left
			}
			if n := p.Metrics().Sum("tlslift_client_requests_total"); n != 9 {
				t.Errorf("%v requests were counted: one said nothing", n)
			}
			open[0].Close()
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for deadline := time.Now().Add(harness.Patience); p.Ask(request).StatusCode == 503; <-ticker.C {
				if time.Now().After(deadline) {
					t.Fatal("the place is not given back")
				}
			}
			if answer := open[1].Send(request).Answer("GET"); answer.Problem() != "" {
				t.Errorf("those who are in suffer: %d", answer.StatusCode)
			}
		})
	}
}

// TestFullHouse: more slow callers than there are connections. A caller from an
// address that holds few connections is served all the while, and everyone who
// said something is told something: nobody is closed without a byte.
func TestFullHouse(t *testing.T) {
	t.Parallel()
	const connections, callers, addresses = 256, 1000, 10
	_, p := portal(t, smsportal.Options{}, fmt.Sprintf("limits: {connections: %d, header_timeout: 3s}", connections))
	request := "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	var flood sync.WaitGroup
	var told, late, silent atomic.Int64
	for i := range callers {
		from := net.IPv4(127, 0, 0, byte(2+i%addresses))
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: harness.Patience}
		flood.Go(func() {
			conn, err := dialer.Dial("tcp", p.Addr())
			if err != nil {
				t.Errorf("refused: %v", err)
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(2 * harness.Patience))
			_, _ = io.WriteString(conn, "GET "+api+"/slow HTTP/1.1\r\nHo")
			answer, err := io.ReadAll(conn)
			switch {
			case strings.HasPrefix(string(answer), "HTTP/1.1 503 "):
				told.Add(1)
			case strings.HasPrefix(string(answer), "HTTP/1.1 408 "):
				late.Add(1)
			default:
				silent.Add(1)
				t.Logf("%q, %v", answer, err)
			}
		})
	}
	over := make(chan struct{})
	go func() { defer close(over); flood.Wait() }()
	served, longest := 0, time.Duration(0)
	for going := true; going; served++ {
		select {
		case <-over:
			going = false
		default:
		}
		began := time.Now()
		if answer := p.Ask(request); answer.Problem() != "" {
			t.Errorf("a proper caller is told %d %q", answer.StatusCode, answer.Problem())
		}
		longest = max(longest, time.Since(began))
		if status, _ := p.Get("/readyz"); status != 200 {
			t.Errorf("readyz %d", status)
		}
	}
	t.Logf("%d served, the longest wait %v; of %d slow ones %d told 503, %d told 408", served, longest, callers, told.Load(), late.Load())
	if silent.Load() > 0 || told.Load() == 0 || late.Load() == 0 {
		t.Errorf("%d closed without an answer, %d told 503, %d told 408", silent.Load(), told.Load(), late.Load())
	}
	p.WaitMetric(float64(told.Load()), "tlslift_denied_total", "reason", "limit")
	p.WaitMetric(0, "tlslift_open_connections")
}

// TestUpstreamPoolIsBounded: callers wait in turn, and are told when it takes
// too long.
func TestUpstreamPoolIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := startFault(t, fault.Options{Script: fault.Always(fault.Hold(release))})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {max_connections: 2, warm_connections: 0}"})
	var in []*harness.Caller
	for i := range 6 {
		in = append(in, dial(t, p).Send(fmt.Sprintf("GET %s/%d HTTP/1.1\r\nHost: x\r\n\r\n", api, i)))
	}
	if err := server.Wait(patience(t), "GET /", 2); err != nil {
		t.Fatal(err)
	}
	close(release)
	for _, c := range in {
		if answer := c.Answer("GET"); answer.StatusCode != 200 {
			t.Errorf("%d %q", answer.StatusCode, answer.Problem())
		}
	}
	if n := server.Connections(); n > 2 {
		t.Errorf("%d connections, 2 allowed", n)
	}
}

// TestSlowUploadsLeaveRoom: large bodies that come slowly take at most half of a
// host's connections, so that other requests go on. One more is told so.
func TestSlowUploadsLeaveRoom(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "upstream: {max_connections: 4, warm_connections: 0}")
	const size = 200_000
	head := fmt.Sprintf("POST %s/slow HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", api, size)
	var slow []*harness.Caller
	for range 2 {
		slow = append(slow, dial(t, p).Send(head+strings.Repeat("x", size/2)))
	}
	p.WaitMetric(2, "tlslift_upstream_pool_connections", "state", "busy")
	if answer := dial(t, p).Send(head + strings.Repeat("x", size/2)).Answer("POST"); answer.StatusCode != 503 || answer.Problem() != "limit" || answer.Delivery() != "not_sent" {
		t.Errorf("one more: %d %s %s", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
	p.WaitLog(harness.Match{"msg": "request", "error": "limit", "detail": "upstream: limit (not_sent): half of the connections to this host wait for large request bodies"})
	for range 3 {
		if answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"); answer.Problem() != "" {
			t.Errorf("beside them: %d %s", answer.StatusCode, answer.Problem())
		}
	}
	for _, c := range slow {
		if answer := c.Send(strings.Repeat("x", size/2)).Answer("POST"); answer.Problem() != "" {
			t.Errorf("a slow one: %d %s", answer.StatusCode, answer.Problem())
		}
	}
	for range 3 { // the connections are not reserved any more
		if answer := p.Ask(head + strings.Repeat("x", size)); answer.Problem() != "" {
			t.Errorf("one by one: %d %s", answer.StatusCode, answer.Problem())
		}
	}
	if n := server.Count(); n != 8 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestInventedNamesAreBounded: a caller can ask for any name below a *.domain. All
// of them are served, and few connections are kept for them together.
func TestInventedNamesAreBounded(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {max_connections: 4, warm_connections: 2}"})
	for i := range 300 {
		if answer := p.Ask(fmt.Sprintf("GET http://x%d.smsportal.com/ HTTP/1.1\r\nHost: x\r\n\r\n", i)); answer.StatusCode != 200 {
			t.Fatalf("%d %q", answer.StatusCode, answer.Problem())
		}
	}
	if n := p.Metrics().Sum("tlslift_upstream_pool_connections", "upstream", "*.smsportal.com"); n > 4+1 { // one more for a moment
		t.Errorf("%v connections are kept, 4 allowed", n)
	}
}

// TestManySlowConnectionsCostLittle: thousands that connect and dawdle leave
// others served and memory bounded.
func TestManySlowConnectionsCostLittle(t *testing.T) {
	count := 10_000
	if harness.RaceEnabled || testing.Short() {
		count = 1_000 // the race detector multiplies memory
	}
	_, p := portal(t, smsportal.Options{}, fmt.Sprintf("limits: {connections: %d, connections_per_client: %d, header_timeout: 60s}", 2*count, 2*count)) // one address: its share is seven eighths
	request := "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	p.Ask(request)
	before := residentKiB(t, p.PID())
	starts := []string{"", "GET", "GET /a HTTP/1.1\r\nHost: api", "CONNECT api.smsportal.com:443 HTTP/1.1\r\n\r\n", "\x16\x03\x01", "POST /a HTTP/1.1\r\nHost: api.smsportal.com\r\nContent-Length: 9\r\n\r\nabc"}
	for i := range count {
		conn, err := net.DialTimeout("tcp", p.Addr(), harness.Patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, starts[i%len(starts)])
	}
	began := time.Now()
	if answer := p.Ask(request); answer.Problem() != "" {
		t.Errorf("a proper caller is told %d %q", answer.StatusCode, answer.Problem())
	}
	t.Logf("a proper caller waited %v behind %d slow ones", time.Since(began), count)
	each := float64(residentKiB(t, p.PID())-before) / float64(count)
	t.Logf("%.1f KiB each", each)
	if !harness.RaceEnabled && each > 64 {
		t.Errorf("%.1f KiB for each slow connection", each)
	}
}

func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "VmRSS:"); found {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
