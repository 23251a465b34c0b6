package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v4"
)

// Upstream is where all configured hosts lead: a pretend or a faulty server.
type Upstream interface {
	Addr() string
	CAPEM() []byte
}

// UpstreamHosts are the patterns of the default configuration.
var UpstreamHosts = []string{"smsportal.com", "*.smsportal.com", "mymobileapi.com", "*.mymobileapi.com"}

// tree is a decoded YAML mapping.
type tree = map[string]any

// base is what every test's configuration starts from.
func base() tree {
	return tree{
		"listen": []any{tree{"address": "127.0.0.1:0"}},
		"admin":  tree{"address": "127.0.0.1:0"},
		"limits": tree{"drain_timeout": "10s"},
		"log":    tree{"level": "debug"},
	}
}

// writeConfig lays the test's YAML over the base, mapping by mapping (a list
// replaces a list), and writes it to dir.
func writeConfig(t testing.TB, dir string, upstream Upstream, overlay string) string {
	t.Helper()
	config := base()
	if upstream != nil {
		caFile := filepath.Join(dir, "upstream-ca.pem")
		WriteFile(t, caFile, string(upstream.CAPEM()))
		var hosts []any
		for _, host := range UpstreamHosts {
			hosts = append(hosts, tree{"host": host, "address": upstream.Addr(), "ca_file": caFile})
		}
		config["upstreams"] = hosts
	}
	var over tree
	if err := yaml.Unmarshal([]byte(overlay), &over); err != nil {
		t.Fatalf("the test's configuration is not YAML: %v\n%s", err, overlay)
	}
	merge(config, over)
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "tlslift.yaml")
	WriteFile(t, path, string(text))
	return path
}

func merge(into, from tree) {
	for key, value := range from {
		section, isSection := value.(tree)
		existing, both := into[key].(tree)
		if isSection && both {
			merge(existing, section)
			continue
		}
		into[key] = value
	}
}

// WriteFile replaces a file in one step, as an operator's editor does, so that
// nobody reads half of it.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// UpstreamEntry is one entry of upstreams that leads a host to an upstream
// whose CA is in caFile; more are further lines of the entry.
func UpstreamEntry(host string, upstream Upstream, caFile, more string) string {
	return fmt.Sprintf("- {host: %q, address: %q, ca_file: %q%s}\n", host, upstream.Addr(), caFile, more)
}
