package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// TestMemoryIsReserved: what is sent has memory for its answer. What finds none
// is not sent, and told so; when memory is free again it is.
func TestMemoryIsReserved(t *testing.T) {
	t.Parallel()
	const memory, each = 8 << 20, 128 << 10
	release := make(chan struct{})
	server := startFault(t, fault.Options{Script: fault.Marked("/held", fault.Hold(release))})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "limits: {memory: 8MiB, body_timeout: 1s, header_timeout: 1s}"})
	if limit := p.Metrics().Sum("tlslift_limit", "resource", "memory"); limit != memory {
		t.Errorf("the limit is %.0f", limit)
	}
	var in []*harness.Caller
	for i := range memory / each {
		in = append(in, dial(t, p).Send(fmt.Sprintf("GET %s/held/%d HTTP/1.1\r\nHost: x\r\n\r\n", api, i)))
	}
	if err := server.Wait(patience(t), "/held/", len(in)); err != nil {
		t.Fatal(err)
	}
	if held := p.Metrics().Sum("tlslift_held_bytes"); held != memory {
		t.Errorf("%.0f bytes are held", held)
	}
	for name, request := range map[string]string{
		"/get":        "GET " + api + "/get HTTP/1.1\r\nHost: x\r\n\r\n",
		"/small-body": "POST " + api + "/small-body HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"/large-body": "POST " + api + "/large-body HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + strings.Repeat("b", 9000),
		"/":           "GET " + api + "/ HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-Fill: "+strings.Repeat("f", 90)+"\r\n", 90) + "\r\n",
	} {
		answer := p.Ask(request)
		if answer.StatusCode != 503 || answer.Problem() != "limit" || answer.Delivery() != "not_sent" || answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %q %q", name, answer.StatusCode, answer.Problem(), answer.Delivery())
		}
		p.WaitLog(harness.Match{"msg": "request", "path": name, "status": 503, "error": "limit", "delivery": "not_sent", "level": "warn"})
		if n := server.Count(name + " "); n != 0 {
			t.Errorf("%s was sent", name)
		}
	}
	p.WaitMetric(4, "tlslift_denied_total", "reason", "limit")
	close(release)
	for _, c := range in {
		if answer := c.Answer("GET"); answer.StatusCode != 200 || answer.Text != "ok" {
			t.Errorf("%d %q", answer.StatusCode, answer.Problem())
		}
	}
	if answer := p.Ask("GET " + api + "/after HTTP/1.1\r\nHost: x\r\n\r\n"); answer.StatusCode != 200 {
		t.Errorf("afterwards: %d %q", answer.StatusCode, answer.Problem())
	}
	expectNothingHeld(t, p)
}

// TestLargeAnswersShareMemory: answers beyond limits.memory stream, whole.
func TestLargeAnswersShareMemory(t *testing.T) {
	t.Parallel()
	const size, callers = 400_000, 24
	server := startFault(t, fault.Options{Script: fault.Always(fault.Late(size, 1000, 500*time.Millisecond))})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "limits: {memory: 8MiB}"})
	var in []*harness.Caller
	for i := range callers {
		in = append(in, dial(t, p).Send(fmt.Sprintf("GET %s/%d HTTP/1.1\r\nHost: x\r\n\r\n", api, i)))
	}
	most := 0.0
	for _, c := range in {
		most = max(most, p.Metrics().Sum("tlslift_held_bytes"))
		if answer := c.Answer("GET"); answer.StatusCode != 200 || len(answer.Text) != size {
			t.Errorf("%d, %d bytes", answer.StatusCode, len(answer.Text))
		}
	}
	if most > 8<<20 {
		t.Errorf("%.0f bytes were held", most)
	}
	if lines := p.WaitLogs(0, harness.Match{"msg": "request", "status": 200, "delivery": "answered", "response_bytes": size}, callers); len(lines) != callers {
		t.Errorf("%d lines", len(lines))
	}
	expectNothingHeld(t, p)
}

// expectNothingHeld waits until the memory of the last calls was given back.
func expectNothingHeld(t *testing.T, p *harness.Process) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(harness.Patience); ; <-ticker.C {
		held := p.Metrics().Sum("tlslift_held_bytes")
		if held == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%.0f bytes are still held", held)
		}
	}
}
