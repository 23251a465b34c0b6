package main

import (
	"os"
	"strings"
	"testing"
)

// What is shipped names everything that is linked in. `make licenses` mends it.
func TestNoticesAreCurrent(t *testing.T) {
	t.Chdir("../..")
	got, err := os.ReadFile("docs/third-party-notices.txt")
	if err != nil {
		t.Fatal(err)
	}
	want, err := notices("./cmd/tlslift")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/third-party-notices.txt is not that of go.mod: run make licenses")
	}
	for _, text := range []string{"the Go standard library\n", "github.com/elazarl/goproxy v", "Copyright 2012-2015 The Prometheus Authors"} {
		if !strings.Contains(want, text) {
			t.Errorf("the notices lack %q", text)
		}
	}
}

func TestAModuleWithoutALicenceIsAnError(t *testing.T) {
	t.Parallel()
	p := linked{Dir: t.TempDir()}
	p.Module = &struct {
		Path, Version, Dir string
		Main               bool
	}{Path: "example.org/nothing", Dir: p.Dir}
	if _, err := textsOf(p); err == nil || err.Error() != "example.org/nothing has no licence" {
		t.Errorf("got %v", err)
	}
}
