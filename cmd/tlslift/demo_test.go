package main

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// The demo's callers are Go, whatever they pretend to be: their hellos show
// that, and the demo says why.
func TestTheDemoSaysWhoseLibraryThePageNames(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	d, err := newDemo(&out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	if err := d.tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.conclude(false)
	if !strings.Contains(out.String(), "the page names Go's TLS library") {
		t.Errorf("the demo says nothing of it: %s", out.String())
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+d.app.admin.address().String()+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(page), "Go crypto/tls") {
		t.Errorf("the page does not name it: %v %s", err, page)
	}
}

// A visitor who tries what the demo suggests is a client of its own: the sample
// applications stay what they stand for.
func TestTheDemosVisitorIsNoApplication(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	d, err := newDemo(&out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	if err := d.tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.conclude(false)
	suggested := regexp.MustCompile(`curl -x (\S+) '(\S+)'`).FindStringSubmatch(out.String())
	if suggested == nil {
		t.Fatalf("the demo suggests no call: %s", out.String())
	}
	proxy, err := url.Parse(suggested[1])
	if err != nil {
		t.Fatal(err)
	}
	visitor := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	get := func(c *http.Client, address string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v: %s", address, resp.Status, err, body)
		}
		return string(body)
	}
	get(visitor, suggested[2])
	clients := "http://" + d.app.admin.address().String() + "/api/v1/clients/"
	for known := ""; !strings.Contains(known, `"127.0.0.1"`); { // a call is counted after its answer
		known = get(http.DefaultClient, strings.TrimSuffix(clients, "/"))
	}
	if row := get(http.DefaultClient, clients+"127.0.0.1"); !strings.Contains(row, `"falls_back_to_clear":true`) {
		t.Errorf("the visitor: %s", row)
	}
	if row := get(http.DefaultClient, clients+d.callers[0].Name); strings.Contains(row, "falls_back_to_clear") {
		t.Errorf("%s: %s", d.callers[0].Name, row)
	}
}
