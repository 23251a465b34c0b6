package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// idleScrapes opens so many connections, scrapes once on each and leaves them
// open.
func idleScrapes(t *testing.T, address string, n int) {
	t.Helper()
	for range n {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(harness.Patience))
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("a scrape: %v", err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

// TestProbesAnswerBesideIdleScrapes of one peer, who holds more connections
// than the admin side takes.
func TestProbesAnswerBesideIdleScrapes(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "admin: {public: '127.0.0.1:0'}")
	public := p.WaitLog(harness.Match{"msg": "admin listening", "public": true}).String("address")
	client := &http.Client{Timeout: harness.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for name, address := range map[string]string{"public": public, "private": p.AdminAddr()} {
		idleScrapes(t, address, 600)
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			response, err := client.Get("http://" + address + path)
			if err != nil {
				t.Errorf("%s, %s: %v", name, path, err)
				continue
			}
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s, %s: %d", name, path, response.StatusCode)
			}
		}
	}
}

// TestTheAdminSideKnowsItsNames: a page of another site, which has a name of its
// own point here, can read nothing; probes and the public listener answer to
// every name.
func TestTheAdminSideKnowsItsNames(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "admin: {public: '127.0.0.1:0', hosts: [lift.example]}")
	public := p.WaitLog(harness.Match{"msg": "admin listening", "public": true}).String("address")
	machine, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: harness.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	status := func(address, path, host string, headers ...string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	guarded := []string{"/metrics", "/", "/api/v1/clients", "/api/v1/summary", "/proxy.pac"}
	probes := []string{"/healthz", "/readyz"}
	for host, known := range map[string]bool{
		"127.0.0.1:9128": true, "[::1]": true, "localhost:9128": true, machine: true, "lift.example": true, "LIFT.example.:80": true,
		"rebound.example": false, "rebound.example:9128": false, "lift.example.evil.example": false,
	} {
		want := http.StatusMisdirectedRequest
		if known {
			want = http.StatusOK
		}
		for _, path := range guarded {
			if got := status(p.AdminAddr(), path, host); got != want {
				t.Errorf("%s by the name %s: %d, want %d", path, host, got, want)
			}
		}
		for _, path := range probes {
			if got := status(p.AdminAddr(), path, host); got != http.StatusOK {
				t.Errorf("%s by the name %s: %d", path, host, got)
			}
		}
		for _, path := range append(probes, "/metrics") {
			if got := status(public, path, host); got != http.StatusOK {
				t.Errorf("%s on the public listener by the name %s: %d", path, host, got)
			}
		}
	}
	for _, path := range guarded {
		if got := status(p.AdminAddr(), path, "localhost", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"); got != http.StatusForbidden {
			t.Errorf("%s for a page of another site: %d, want 403", path, got)
		}
	}
}
