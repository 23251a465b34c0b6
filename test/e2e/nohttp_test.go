package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// TestAnswersThatAreNoHTTP are protocol as soon as their first line is there, or
// cannot become a status line. What begins as HTTP and ends too soon is reset.
func TestAnswersThatAreNoHTTP(t *testing.T) {
	t.Parallel()
	const waits = 20 * time.Second // longer than the answer may take
	for name, c := range map[string]struct {
		raw     string
		silence bool // the server says no more, and waits
		reason  string
	}{
		"a mail server that closes":     {"220 mail.example ESMTP\r\n", false, "protocol"},
		"a mail server that waits":      {"220 mail.example ESMTP\r\n", true, "protocol"},
		"a first line of HTTP/2":        {"HTTP/2.0 200 OK\r\n", true, "protocol"},
		"bytes without a line":          {"\x16\x03\x01", true, "protocol"},
		"half a first line, not HTTP/1": {"HTTP/2", false, "protocol"},
		"half a status line":            {"HTTP/1.1 20", false, "reset"},
		"half a head":                   {"HTTP/1.1 200 OK\r\nServer: x\r\n", false, "reset"},
		"half a body":                   {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", false, "reset"},
		"half a chunk":                  {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", false, "reset"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			action := fault.Raw("raw", c.raw, fault.Close)
			if c.silence {
				action = fault.StallAfter(c.raw)
			}
			server := startFault(t, fault.Options{Script: fault.Always(action)})
			p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {response_timeout: 30s}"})
			for _, size := range []int{0, 1 << 20} {
				mark, began := p.Mark(), time.Now()
				in := dial(t, p)
				go in.Send("POST " + api + "/a HTTP/1.1\r\nHost: x\r\nContent-Length: " + strconv.Itoa(size) + "\r\n\r\n" + strings.Repeat("x", size))
				answer := in.Answer("POST")
				if answer.StatusCode != 502 || answer.Problem() != c.reason || answer.Delivery() != "unknown" {
					t.Errorf("%d bytes up: %d %s %s", size, answer.StatusCode, answer.Problem(), answer.Delivery())
				}
				if took := time.Since(began); took > waits {
					t.Errorf("%d bytes up: answered after %v", size, took)
				}
				p.WaitLogAfter(mark, harness.Match{"msg": "request", "level": "error", "error": c.reason, "delivery": "unknown"})
			}
			if n := len(server.Requests()); n != 2 {
				t.Errorf("the upstream saw %d requests, want 2", n)
			}
		})
	}
}
