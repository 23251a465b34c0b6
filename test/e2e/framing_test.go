package e2e

import (
	"crypto/tls"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestHTTP10WithoutALength: a message without its text is not sent. A call that
// is all in its query is, and the connection ends.
func TestHTTP10WithoutALength(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	form := "Content-Type: application/x-www-form-urlencoded\r\n"
	for _, w := range ways {
		for _, method := range []string{"POST", "PUT", "PATCH", "post"} {
			for name, tt := range map[string]struct {
				path, lines, after string
				sent               bool
			}{
				"a query":                  {"/a?b=c", "", "", true},
				"a query, kept":            {"/a?b=c", "Connection: keep-alive\r\n", "", true},
				"a query, a type":          {"/a?b=c", form, "", false},
				"a query, a type, a text":  {"/a?b=c", form, "text", false},
				"a query and a text":       {"/a?b=c", "", "text", false},
				"an empty query":           {"/a?", "", "", false},
				"no query":                 {"/a", "", "", false},
				"no query, a text":         {"/a", "", "text", false},
				"a length":                 {"/a", form + "Content-Length: 4\r\n", "text", true},
				"a length of nothing":      {"/a", form + "Content-Length: 0\r\n", "", true},
				"an empty line behind all": {"/a?b=c", "", "\r\n", false},
			} {
				t.Run(w.name+" "+method+" "+name, func(t *testing.T) {
					p, before, mark := p.In(t), server.Count(), p.Mark()
					request := strings.Replace(w.request(method, tt.path, tt.lines, tt.after), "HTTP/1.1", "HTTP/1.0", 1)
					in := w.open(t, p).Send(request)
					answer := in.Answer("POST")
					if tt.sent {
						got := server.Requests()
						if answer.Problem() != "" || server.Count() != before+1 {
							t.Fatalf("answered %d %q", answer.StatusCode, answer.Problem())
						}
						if last := got[len(got)-1]; !slices.Contains(last.Header["Content-Length"], map[bool]string{true: "4", false: "0"}[tt.after != ""]) {
							t.Errorf("sent as %q", last.Raw)
						}
						if !strings.Contains(tt.lines, "Content-Length") {
							in.ExpectClosed()
						}
						return
					}
					if answer.StatusCode != 400 || answer.Problem() != "malformed" || answer.Delivery() != "not_sent" || server.Count() != before ||
						!strings.Contains(answer.Text, "The request may have a body, but does not give its length. Nothing was sent. Correct the client: send Content-Length") {
						t.Errorf("answered %d %q, %d sent: %s", answer.StatusCode, answer.Problem(), server.Count()-before, answer.Text)
					}
					in.ExpectClosed()
					p.WaitLogAfter(mark, harness.Match{"msg": "request", "error": "malformed", "status": 400, "detail": "HTTP/1.0 request without the length of its body"})
				})
			}
		}
	}
	p.WaitMetric(float64(4*4*7), "tlslift_denied_total", "reason", "malformed")
}

// TestHTTP10AnswerWithChunks is of no certain length (RFC 9112 section 6.1).
func TestHTTP10AnswerWithChunks(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Script: fault.Always(fault.Raw("chunked10", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", fault.Close))})
	p := harness.Start(t, harness.Options{Upstream: server})
	for _, w := range ways {
		answer := w.open(t, p).Send(w.request("GET", "/a", "", "")).Answer("GET")
		if answer.StatusCode != 502 || answer.Problem() != "protocol" || answer.Delivery() != "unknown" {
			t.Errorf("%s: %d %q %q", w.name, answer.StatusCode, answer.Problem(), answer.Delivery())
		}
	}
	p.WaitMetric(4, "tlslift_upstream_failures_total", "reason", "protocol", "delivery", "unknown")
}

// TestEventStreams are passed on as they come, whatever their length.
func TestEventStreams(t *testing.T) {
	t.Parallel()
	for _, declared := range []bool{false, true} {
		for _, w := range ways {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				release := make(chan struct{})
				const first, second = "data: one\n\n", "data: two\n\n"
				server := startFault(t, fault.Options{Script: fault.Always(fault.Events(first, release, second, declared))})
				p := harness.Start(t, harness.Options{Upstream: server})
				stream := w.open(t, p).Send(w.request("GET", "/events", "", "")).Stream("GET")
				got := make([]byte, len(first))
				if _, err := io.ReadFull(stream.Body, got); err != nil || string(got) != first {
					t.Fatalf("%q came while the second event was awaited: %v", got, err)
				}
				close(release)
				if rest, err := io.ReadAll(stream.Body); err != nil || string(rest) != second {
					t.Errorf("the rest is %q, %v", rest, err)
				}
				p.WaitLog(harness.Match{"msg": "request", "path": "/events", "status": 200, "delivery": "answered", "response_bytes": len(first + second)})
			})
		}
	}
}

// TestUploadThatTheUpstreamResets is the upstream's failure, not the caller's.
func TestUploadThatTheUpstreamResets(t *testing.T) {
	t.Parallel()
	for _, end := range []fault.End{fault.Reset, fault.Close} {
		t.Run(end.String(), func(t *testing.T) {
			t.Parallel()
			server := startFault(t, fault.Options{Script: fault.Always(fault.AfterHead(end))})
			p := harness.Start(t, harness.Options{Upstream: server})
			const size = 4 << 20
			for _, w := range ways {
				in := w.open(t, p)
				go in.Send(w.request("POST", "/upload", "Content-Length: 4194304\r\n", strings.Repeat("x", size)))
				answer := in.Answer("POST")
				if answer.StatusCode != 502 || answer.Problem() != "reset" || answer.Delivery() != "unknown" {
					t.Errorf("%s: %d %q %q", w.name, answer.StatusCode, answer.Problem(), answer.Delivery())
				}
			}
			p.WaitMetric(4, "tlslift_upstream_failures_total", "reason", "reset", "delivery", "unknown")
			if n := p.Metrics().Sum("tlslift_denied_total"); n != 0 {
				t.Errorf("%v are counted as the callers' fault", n)
			}
		})
	}
}

// TestClassicHelloAfterNoYesNo: a host is believed to understand only the classic
// hello when modern, classic and modern gave no, yes and no. Each try is counted.
func TestClassicHelloAfterNoYesNo(t *testing.T) {
	t.Parallel()
	hellos := make(chan bool, 16) // modern?
	server := startFault(t, fault.Options{
		Configure: func(c *tls.Config) {
			c.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				modern := slices.Contains(h.SupportedVersions, tls.VersionTLS13)
				hellos <- modern
				if modern {
					return nil, errors.New("too modern")
				}
				return nil, nil
			}
		},
		Script: fault.Always(fault.AnswerThenEnd(fault.Close)),
	})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {warm_connections: 0}"})
	for i, want := range [][]bool{{true, false}, {true, false}, {false}, {false}} {
		mark := p.Mark()
		if answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); answer.StatusCode != 200 {
			t.Fatalf("request %d: %d %q", i+1, answer.StatusCode, answer.Problem())
		}
		for n, modern := range want {
			if got := <-hellos; got != modern {
				t.Errorf("request %d, hello %d: modern %v", i+1, n+1, got)
			}
		}
		if i == 1 {
			p.WaitLogAfter(mark, harness.Match{"msg": "upstream accepts only the classic ClientHello"})
		}
		p.WaitMetric(float64(min(i+1, 2)), "tlslift_upstream_classic_hello_total")
	}
	if n := p.Metrics().Sum("tlslift_upstream_classic_hello_total"); n != 2 {
		t.Errorf("%v classic hellos are counted", n)
	}
}

// TestBodiesThatBreakOnTheirWay: the beginning of a large chunked body was sent
// when its end turns out to be too large, or broken.
func TestBodiesThatBreakOnTheirWay(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "limits: {body_bytes: 200KiB}")
	chunk := "8000\r\n" + strings.Repeat("x", 32<<10) + "\r\n"
	for name, tt := range map[string]struct {
		end    string
		status int
		reason string
	}{
		"too large": {strings.Repeat(chunk, 4), 413, "too_large"},
		"broken":    {"nonsense\r\n", 400, "malformed"},
	} {
		for _, w := range ways {
			t.Run(name+" "+w.name, func(t *testing.T) {
				p, mark := p.In(t), p.Mark()
				in := w.open(t, p)
				go in.Send(w.request("POST", "/breaks", "Transfer-Encoding: chunked\r\n", strings.Repeat(chunk, 5)+tt.end))
				answer := in.Answer("POST")
				if answer.StatusCode != tt.status || answer.Problem() != tt.reason || answer.Delivery() != "unknown" || !answer.Close {
					t.Errorf("answered %d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
				}
				p.WaitLogAfter(mark, harness.Match{"msg": "request", "path": "/breaks", "status": tt.status, "error": tt.reason, "delivery": "unknown", "level": "error"})
			})
		}
	}
	for _, r := range server.Requests() {
		if r.Complete {
			t.Error("the upstream received a whole request")
		}
	}
}
