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
	await(t, "http://"+d.app.adminListeners[0].Addr().String()+"/", "Go crypto/tls")
}

// await gets a page until it has a text: a call is counted after its answer.
func await(t *testing.T, address, text string) {
	t.Helper()
	for page := ""; !strings.Contains(page, text); {
		page = get(t, http.DefaultClient, address)
	}
}

func get(t *testing.T, c *http.Client, address string) string {
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
	get(t, visitor, suggested[2])
	clients := "http://" + d.app.adminListeners[0].Addr().String() + "/api/v1/clients/"
	await(t, strings.TrimSuffix(clients, "/"), `"client":"127.0.0.1"`)
	if row := get(t, http.DefaultClient, clients+"127.0.0.1"); !strings.Contains(row, `"falls_back_to_clear":true`) {
		t.Errorf("the visitor: %s", row)
	}
	if row := get(t, http.DefaultClient, clients+d.callers[0].Name); strings.Contains(row, "falls_back_to_clear") {
		t.Errorf("%s: %s", d.callers[0].Name, row)
	}
}
