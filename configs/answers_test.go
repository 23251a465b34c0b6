package configs

import (
	"reflect"
	"testing"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
)

func TestLoopback(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:3128": true, "127.9.9.9:0": true, "[::1]:3128": true, "[::ffff:127.0.0.1]:3128": true, "LocalHost:3128": true,
		"0.0.0.0:3128": false, "[::]:3128": false, ":3128": false, "10.0.0.1:3128": false, "gateway.corp:3128": false,
	} {
		if got := loopback(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestRestartDiff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		want   []string
	}{
		"nothing":          {func(*Config) {}, nil},
		"what is reloaded": {func(c *Config) { c.Others, c.Upstreams, c.Limits.Connections = decide.OthersPass, nil, 1 }, nil},
		"listeners":        {func(c *Config) { c.Listen = append(c.Listen, Listen{}) }, nil},
		"admin":            {func(c *Config) { c.Admin.Quit = true }, []string{"admin"}},
		"state":            {func(c *Config) { c.State.File = "ledger.json" }, []string{"state"}},
		"all":              {func(c *Config) { c.Listen, c.Admin, c.State = nil, Admin{}, State{"x"} }, []string{"admin", "state"}},
	} {
		changed := Default()
		c.change(changed)
		if got := changed.RestartDiff(Default()); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// TestReloadOfTheSameFile proves that writing a default out is no change.
func TestReloadOfTheSameFile(t *testing.T) {
	t.Parallel()
	one := loaded(t, Source{})
	other := loaded(t, Source{File: written(t, exampleFile), Reload: true})
	if got := other.RestartDiff(one); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestWays(t *testing.T) {
	t.Parallel()
	l := Listen{Accept: []call.Ingress{call.Forward}}
	if !l.Ways().Has(call.Forward) || l.Ways().Has(call.Connect) {
		t.Error("Ways is wrong")
	}
}

// TestProblem places findings that are made after Load.
func TestProblem(t *testing.T) {
	t.Parallel()
	file := written(t, "upstreams:\n- host: api.example.com\n  address: 10.0.0.7:443\nlimits:\n")
	c, err := Load(Source{File: file, Env: []string{"TLSLIFT_WORKLOAD=payments/billing"}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"upstreams[0].address":   file + ":3: upstreams[0].address: is wrong; fix it",
		"upstreams[0].ca_file":   file + ":2: upstreams[0].ca_file: is wrong; fix it",
		"upstreams[1].host":      file + ":1: upstreams[1].host: is wrong; fix it",
		"limits.connections":     file + ":4: limits.connections: is wrong; fix it",
		"clients.workload":       "environment: TLSLIFT_WORKLOAD: is wrong; fix it",
		"legacy_tls.min_version": "legacy_tls.min_version: is wrong; fix it",
		"":                       "is wrong; fix it",
	} {
		if got := c.Problem(path, "is wrong", "fix it").Error(); got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
	}
}
