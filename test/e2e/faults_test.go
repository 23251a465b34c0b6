package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/test/certs"
	"tlslift/test/fault"
	"tlslift/test/harness"
)

// mishap is something an upstream does to a request, and what the caller is
// to be told.
type mishap struct {
	action   fault.Action
	fresh    bool     // on a connection's first request too, not only on a reused one
	status   int      // 0 = a visible truncation: the head and a part of the body, never a clean end
	reasons  []string // any of these
	delivery string
	big      bool // a 10 MiB body is sent
	stalls   bool // only a timeout ends it
}

const (
	small = 4 << 10
	large = 3 << 20 // beyond limits.response_buffer
)

var mishaps = []mishap{
	{action: fault.Answer("ok"), fresh: true, status: 200},
	{action: fault.Drip("ok", time.Millisecond), fresh: true, status: 200},
	{action: fault.Informational(3), fresh: true, status: 200},
	{action: fault.UntilClose("whole", fault.Close), fresh: true, status: 200},
	{action: fault.AfterRead(fault.Close), fresh: true, status: 502, reasons: []string{"reset"}, delivery: "unknown"},
	{action: fault.AfterRead(fault.Cut), fresh: true, status: 502, reasons: []string{"reset"}, delivery: "unknown"},
	{action: fault.AfterRead(fault.Reset), fresh: true, status: 502, reasons: []string{"reset"}, delivery: "unknown"},
	{action: fault.AfterHead(fault.Reset), status: 502, reasons: []string{"reset"}, delivery: "unknown"},
	{action: fault.HalfHead(fault.Close), fresh: true, status: 502, reasons: []string{"reset", "protocol"}, delivery: "unknown"},
	{action: fault.HalfHead(fault.Reset), status: 502, reasons: []string{"reset", "protocol"}, delivery: "unknown"},
	{action: fault.HalfBody(small, fault.Close), fresh: true, status: 502, reasons: []string{"reset", "protocol"}, delivery: "unknown"},
	{action: fault.HalfBody(small, fault.Reset), status: 502, reasons: []string{"reset", "protocol"}, delivery: "unknown"},
	{action: fault.HalfChunked(small, fault.Close), fresh: true, status: 502, reasons: []string{"reset", "protocol"}, delivery: "unknown"},
	{action: fault.UntilClose("cut off", fault.Cut), status: 502, reasons: []string{"reset", "protocol"}, delivery: "unknown"},
	{action: fault.HalfBody(large, fault.Close), fresh: true},
	{action: fault.HalfChunked(large, fault.Close), fresh: true},
	{action: fault.HalfChunked(large, fault.Reset)},
	{action: fault.Garbage(), fresh: true, status: 502, reasons: []string{"protocol"}, delivery: "unknown"},
	{action: fault.HugeHead(4 << 20), status: 502, reasons: []string{"protocol"}, delivery: "unknown"},
	{action: fault.Stall(), fresh: true, stalls: true, status: 504, reasons: []string{"timeout"}, delivery: "unknown"},
	{action: fault.StallInBody(small), stalls: true, status: 504, reasons: []string{"timeout"}, delivery: "unknown"},
	{action: fault.AnswerThenCloseOnNext(fault.Reset), status: 502, reasons: []string{"reset"}, delivery: "unknown"},
	{action: fault.AnswerThenCloseOnNext(fault.Close), status: 502, reasons: []string{"reset"}, delivery: "unknown"},
	{action: fault.Early(413), big: true, fresh: true, status: 413},
	{action: fault.EarlyReset(413), big: true, status: 413},
}

// TestAtMostOnce is the product's core promise: ways in x methods x mishaps,
// on fresh and on reused upstream connections. The upstream never counts a
// request twice, the caller always gets a complete answer (or, beyond the
// buffer, a visible truncation), and the delivery word is right.
func TestAtMostOnce(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			server := startFault(t, fault.Options{Script: mishapOf})
			patient := harness.Start(t, harness.Options{Upstream: server, Config: `
upstream: {warm_connections: 0}
limits: {body_bytes: 16MiB}`})
			hasty := harness.Start(t, harness.Options{Upstream: server, Config: `
upstream: {warm_connections: 0, response_timeout: 1s}
limits: {body_timeout: 1s}`})
			for _, m := range mishaps {
				for _, method := range []string{"GET", "POST"} {
					if m.big && method == "GET" {
						continue
					}
					p := patient
					if m.stalls {
						p = hasty
					}
					for _, reused := range []bool{false, true} {
						if reused || m.fresh {
							trial{w, m, method, reused}.run(t, p, server)
						}
					}
				}
			}
		})
	}
}

// mishapOf finds a request's mishap by its target: /ACTION/ID.
func mishapOf(x *fault.Exchange) fault.Action {
	name := strings.Split(x.Seen.Target, "/")[1]
	for _, m := range mishaps {
		if m.action.Name == name {
			return m.action
		}
	}
	return fault.Answer("ok")
}

type trial struct {
	way    way
	mishap mishap
	method string
	reused bool
}

func (tr trial) run(t *testing.T, p *harness.Process, server *fault.Server) {
	id := fmt.Sprintf("%s/%s-%v-%d", tr.mishap.action.Name, tr.method, tr.reused, len(server.Requests()))
	t.Run(id, func(t *testing.T) {
		p := p.In(t)
		in := tr.way.open(t, p)
		closing := strings.HasPrefix(tr.mishap.action.Name, "close_as_we_write")
		if tr.reused { // leaves an idle upstream connection behind
			prime := "/prime/" + id
			if closing {
				prime = "/" + id + "-prime"
			}
			if answer := in.Send(tr.way.request("GET", prime, "", "")).Answer("GET"); answer.StatusCode != 200 {
				t.Fatalf("priming: %d %s", answer.StatusCode, answer.Problem())
			}
		}
		mark := p.Mark()
		body, head := tr.body()
		go in.Send(tr.way.request(tr.method, "/"+id, head, body))
		answer, err := in.TryAnswer(tr.method)
		tr.judge(t, answer, err)
		wantCount := 1
		if closing {
			wantCount = 0 // the server never read it; our bytes were written all the same
		}
		if n := server.Count(" /" + id + " "); n != wantCount {
			t.Errorf("the upstream counts the request %d times", n)
		}
		tr.judgeConnection(t, server, id)
		line := p.WaitLogAfter(mark, harness.Match{"msg": "request", "path": "/" + id})
		if tr.mishap.delivery != "" && (line.String("delivery") != tr.mishap.delivery || line.String("error") != answer.Problem()) {
			t.Errorf("log says delivery %s, error %s", line.String("delivery"), line.String("error"))
		}
		if tr.mishap.status != 0 && err == nil && !tr.mishap.big { // the caller's connection stays
			if again := in.Send(tr.way.request("GET", "/after/"+id, "", "")).Answer("GET"); again.StatusCode != 200 {
				t.Errorf("the next request on the connection: %d %s", again.StatusCode, again.Problem())
			}
		}
	})
}

func (tr trial) body() (body, head string) {
	switch {
	case tr.mishap.big:
		body = strings.Repeat("x", 10<<20)
	case tr.method == http.MethodPost:
		body = "Type=sendparam"
	default:
		return "", ""
	}
	return body, lines("Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(body)))
}

func (tr trial) judge(t *testing.T, answer harness.Answer, err error) {
	t.Helper()
	m := tr.mishap
	switch {
	case m.status == 0:
		// A reset may also have destroyed what was not yet read, the head too.
		told := err == nil && answer.StatusCode == 502 && answer.Delivery() == "unknown"
		if err == nil && !told {
			t.Errorf("a truncated answer of %d bytes looks whole", len(answer.Text))
		}
		return
	case err != nil:
		t.Fatalf("no complete answer: %v", err)
	case answer.StatusCode != m.status:
		t.Errorf("status %d, want %d (%s)", answer.StatusCode, m.status, answer.Problem())
	}
	if m.delivery == "" {
		if answer.Problem() != "" {
			t.Errorf("the upstream's answer carries Tlslift-Error %s", answer.Problem())
		}
		return
	}
	if answer.Delivery() != m.delivery || !slices.Contains(m.reasons, answer.Problem()) {
		t.Errorf("told %q %q, want %q %q", answer.Problem(), answer.Delivery(), m.reasons, m.delivery)
	}
}

// judgeConnection makes sure that the trial was on the kind of connection it
// is about: otherwise it would prove nothing.
func (tr trial) judgeConnection(t *testing.T, server *fault.Server, id string) {
	t.Helper()
	for _, seen := range server.Requests() {
		if !strings.HasSuffix(seen.Target, id) || strings.HasPrefix(seen.Target, "/prime") {
			continue
		}
		if reused := seen.Request > 1; tr.reused && !reused {
			t.Errorf("the upstream connection was not reused")
		}
	}
}

// TestIdleConnectionThatEndedIsNotUsed: the server closed, unannounced, after
// a healthy answer. Nothing is lost and nothing is unknown.
func TestIdleConnectionThatEndedIsNotUsed(t *testing.T) {
	t.Parallel()
	for _, end := range []fault.End{fault.Close, fault.Cut, fault.Reset} {
		t.Run(end.String(), func(t *testing.T) {
			t.Parallel()
			server := startFault(t, fault.Options{Script: fault.Always(fault.AnswerThenEnd(end))})
			p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {warm_connections: 0}"})
			in := dial(t, p)
			for i := range 5 {
				if answer := in.Send(fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n", i)).Answer("GET"); answer.StatusCode != 200 {
					t.Errorf("request %d: %d %s %s", i, answer.StatusCode, answer.Problem(), answer.Delivery())
				}
				if err := server.WaitOpen(patience(t), 0); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(server.Requests()); n != 5 {
				t.Errorf("%d requests for 5", n)
			}
		})
	}
}

// TestFailuresBeforeAnyByte: all of them are not_sent, and the upstream never
// sees a request.
func TestFailuresBeforeAnyByte(t *testing.T) {
	t.Parallel()
	greet := func(g fault.Greeting) fault.Options {
		return fault.Options{Greet: func(int) fault.Greeting { return g }}
	}
	tests := map[string]struct {
		upstream fault.Options
		status   []int
		reasons  []string
	}{
		"closes at once":         {greet(fault.CloseAtOnce), []int{502}, []string{"tls", "connect"}},
		"resets at once":         {greet(fault.ResetAtOnce), []int{502}, []string{"tls", "connect"}},
		"closes on our hello":    {greet(fault.CloseOnHello), []int{502}, []string{"tls"}},
		"is no TLS server":       {greet(fault.GarbageHandshake), []int{502}, []string{"tls"}},
		"stalls the handshake":   {greet(fault.StallHandshake), []int{502, 504}, []string{"tls", "timeout"}},
		"speaks TLS 1.1 at most": {fault.Options{Configure: func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }}, []int{502}, []string{"tls"}},
		"is another host":        {fault.Options{Leaf: certs.Leaf{Names: []string{"other.test"}}}, []int{502}, []string{"tls_verify"}},
		"has expired":            {fault.Options{Leaf: certs.Leaf{Names: []string{"api.smsportal.com"}, NotAfter: time.Now().Add(-time.Minute)}}, []int{502}, []string{"tls_verify"}},
		"is not valid yet":       {fault.Options{Leaf: certs.Leaf{Names: []string{"api.smsportal.com"}, NotBefore: time.Now().Add(time.Hour)}}, []int{502}, []string{"tls_verify"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startFault(t, tt.upstream)
			p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {tls_timeout: 2s}"})
			notSent(t, p, tt.status, tt.reasons)
			if n := len(server.Requests()); n != 0 {
				t.Errorf("the upstream received %d requests", n)
			}
		})
	}
}

func TestUnknownAuthorityIsNotTrusted(t *testing.T) {
	t.Parallel()
	server, other := startFault(t, fault.Options{}), startFault(t, fault.Options{})
	p := harness.Start(t, harness.Options{Upstream: stranger{server.Addr(), other.CAPEM()}})
	notSent(t, p, []int{502}, []string{"tls_verify"})
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{})
	p := harness.Start(t, harness.Options{Upstream: stranger{deserted(t, server.Addr()), server.CAPEM()}})
	notSent(t, p, []int{502}, []string{"connect"})
}

// deserted is the same port of an address that no test listens on. A port that a
// test closed may soon be another's.
func deserted(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.9", port)
}

// stranger leads to one server with the CA of another.
type stranger struct {
	address string
	pem     []byte
}

func (s stranger) Addr() string  { return s.address }
func (s stranger) CAPEM() []byte { return s.pem }

// notSent makes one request and wants a not_sent answer after which the
// caller's connection stays, a log line, and a metric.
func notSent(t *testing.T, p *harness.Process, status []int, reasons []string) {
	t.Helper()
	in := dial(t, p)
	for range 2 { // the second proves that the connection stays
		answer := in.Send("GET " + api + sendPath("x") + " HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET")
		if !slices.Contains(status, answer.StatusCode) || !slices.Contains(reasons, answer.Problem()) || answer.Delivery() != "not_sent" {
			t.Errorf("told %d %q %q, want %v %v not_sent", answer.StatusCode, answer.Problem(), answer.Delivery(), status, reasons)
		}
		p.WaitLog(harness.Match{"msg": "request", "error": answer.Problem(), "delivery": "not_sent"})
		p.WaitMetric(1, "tlslift_upstream_failures_total", "reason", answer.Problem(), "delivery", "not_sent")
	}
}

// TestHandshakeThatFailsOnceIsTriedAgain: not a byte of the request was
// written, so a second, classic hello is no second send.
func TestHandshakeThatFailsOnceIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Greet: func(conn int) fault.Greeting {
		if conn == 1 {
			return fault.CloseOnHello
		}
		return fault.Handshake
	}})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {warm_connections: 0}"})
	if answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"); answer.StatusCode != 200 {
		t.Errorf("%d %s", answer.StatusCode, answer.Problem())
	}
	if n := len(server.Requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// TestFloodOfInformationalAnswersIsBounded: however the flood is answered, it
// is answered.
func TestFloodOfInformationalAnswersIsBounded(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Script: fault.Marked("/flood", fault.Informational(100_000))})
	p := harness.Start(t, harness.Options{Upstream: server})
	answer := p.Ask("GET " + api + "/flood HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer.StatusCode != 502 || answer.Problem() != "protocol" || answer.Delivery() != "unknown" {
		t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
}
