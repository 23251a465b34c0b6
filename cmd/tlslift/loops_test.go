package main

import (
	"strings"
	"testing"

	"tlslift/configs"
)

func TestUpstreamsThatAreOurselves(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*configs.Config)
		key    string
	}{
		"none":             {func(*configs.Config) {}, ""},
		"another port":     {func(c *configs.Config) { c.Upstreams[0].Address = "127.0.0.1:8443" }, ""},
		"the listener":     {func(c *configs.Config) { c.Upstreams[0].Address = "127.0.0.1:3128" }, "upstreams[0].address"},
		"by name":          {func(c *configs.Config) { c.Upstreams[0].Address = "localhost:3128" }, "upstreams[0].address"},
		"the admin port":   {func(c *configs.Config) { c.Upstreams[1].Address = "127.0.0.1:9128" }, "upstreams[1].address"},
		"parent proxy":     {func(c *configs.Config) { c.Upstream.ParentProxy = "http://127.0.0.1:3128" }, "upstream.parent_proxy"},
		"every address":    {func(c *configs.Config) { c.Listen[0].Address, c.Upstreams[0].Address = "0.0.0.0:443", "127.0.0.1:443" }, "upstreams[0].address"},
		"every, elsewhere": {func(c *configs.Config) { c.Listen[0].Address, c.Upstreams[0].Address = "0.0.0.0:443", "192.0.2.1:443" }, ""},
	} {
		cfg := configs.Default()
		test.change(cfg)
		_, _, err := contents(cfg, make([]byte, 32)) // of run and reload, and of check
		switch {
		case test.key == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.key != "" && (err == nil || !strings.Contains(err.Error(), test.key)):
			t.Errorf("%s: %v, want a problem of %s", name, err, test.key)
		}
	}
}
