package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"tlslift/deploy/demo/smsportal"
)

func TestCountsTellNumbersAlone(t *testing.T) {
	t.Parallel()
	s, err := smsportal.Start("127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	server := httptest.NewServer(counts(s))
	defer server.Close()
	for path, want := range map[string]string{"/": `"messages":0`, "/ca.pem": "BEGIN CERTIFICATE"} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	if err := get(context.Background(), []string{server.URL + "/other"}); err == nil {
		t.Error("404 is no failure")
	}
}

func TestLoopGoesOnAfterItsEnd(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := calls.Add(1); n == 3 {
			cancel()
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	if err := loop(ctx, []string{"-after", "50ms", "-every", "5ms", server.URL + "/?n="}); err != nil || calls.Load() <= 3 {
		t.Errorf("%d calls, %v", calls.Load(), err)
	}
}

func TestLoopEndsAtTheFirstFailure(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if err := loop(context.Background(), []string{server.URL + "/"}); err == nil || !strings.Contains(err.Error(), "call 1: 404") {
		t.Error(err)
	}
}

// Started again, it keeps the CA that the clients trust.
func TestSetupKeepsTheCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var first string
	for range 2 {
		if err := setup(t.Context(), []string{"-dir", dir}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "ca", "root.pem"))
		if err != nil {
			t.Fatal(err)
		}
		if first != "" && first != string(data) {
			t.Error("another CA")
		}
		first = string(data)
	}
}
