package main

import (
	"io"
	"net/http"
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
