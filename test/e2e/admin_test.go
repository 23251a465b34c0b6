package e2e

import (
	"bufio"
	"io"
	"net"
	"net/http"
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
