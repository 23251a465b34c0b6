package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// What is asked of the relay is answered by who is behind it, who sees the
// caller's Host.
func TestRelayShowsWhatIsBehindIt(t *testing.T) {
	t.Parallel()
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "asked as "+r.Host) }))
	defer behind.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- relayOn(ctx, ln, behind.Listener.Addr().String(), time.Minute) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "asked as "+ln.Addr().String() {
		t.Errorf("%s", body)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A container that is started again has another network namespace: a relay that
// stayed in the old one would be there for nobody.
func TestRelayEndsWhenNobodyIsBehindIt(t *testing.T) {
	t.Parallel()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if conn, err := gone.Accept(); err == nil { // the first look
			conn.Close()
		}
		gone.Close()
	}()
	if err := relayOn(t.Context(), ln, gone.Addr().String(), 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), "nobody at "+gone.Addr().String()) {
		t.Error(err)
	}
}

func TestRelayWantsBothAddresses(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-listen", "127.0.0.1:0"}, {"-to", "127.0.0.1:1"}} {
		if err := relay(t.Context(), args); err == nil || !strings.Contains(err.Error(), "usage") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
