package main

import (
	"strings"
	"testing"

	"tlslift/configs"
)

// TestSocketThatNothingNamesIsRefused: systemd would accept callers for it
// whom nobody answers.
func TestSocketThatNothingNamesIsRefused(t *testing.T) {
	t.Parallel()
	cfg := &configs.Config{Listen: []configs.Listen{{Address: "127.0.0.1:3128"}, {Address: "127.0.0.1:80"}}}
	cfg.Admin.Address, cfg.Admin.Public = "127.0.0.1:9128", "0.0.0.0:9129"
	for _, tt := range []struct {
		passed  []string
		strange string
	}{
		{nil, ""},
		{[]string{"127.0.0.1:3128", "127.0.0.1:80", "127.0.0.1:9128", "0.0.0.0:9129"}, ""},
		{[]string{"127.0.0.1:3128", "127.0.0.1:443"}, "127.0.0.1:443"},
		{[]string{"[::]:80"}, "[::]:80"},
	} {
		err := allNamed(tt.passed, cfg)
		if (err == nil) != (tt.strange == "") || err != nil && !strings.Contains(err.Error(), tt.strange) {
			t.Errorf("%v: %v", tt.passed, err)
		}
	}
}
