package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/configs"
)

// A file that a flag or the configuration names is read within a bound, and an
// error names it.
func TestFilesAreReadWithinABound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	for file, size := range map[string]int64{large: maxInput + 1, filepath.Join(dir, "fits"): maxInput} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(file, size); err != nil {
			t.Fatal(err)
		}
	}
	if data, err := readFile(filepath.Join(dir, "fits")); err != nil || len(data) != maxInput {
		t.Errorf("a file of %d bytes: %d, %v", maxInput, len(data), err)
	}
	want := "read " + large + ": it is larger than 16 MiB"
	for _, args := range [][]string{{"show", "--cert", large}, {"export", "--cert", large, "--out", filepath.Join(dir, "out")}} {
		if out, status := runCA(args...); status != exitFailed || !strings.Contains(out, "--cert: "+want) {
			t.Errorf("ca %s: %d, %s", args, status, out)
		}
	}
	for _, args := range [][]string{
		{"--state", "a", "--owners", large},
		{"--admin", "http://127.0.0.1:1", "--token-file", large},
		{"--prometheus", "http://127.0.0.1:1", "--user", "x", "--password-file", large},
	} {
		if _, problem, status := runReport(args...); status != exitUsage || !strings.Contains(problem, args[len(args)-2]+": "+want) {
			t.Errorf("report %s: %d, %s", args, status, problem)
		}
	}
	for _, text := range []string{
		"admin: {token_file: %q}",
		"clients: {users_file: %q}",
		"clients: {account: hash, account_key_file: %q}",
		"upstream: {parent_proxy: 'http://u@proxy.example:8080', parent_proxy_password_file: %q}",
		"upstreams: [{host: a.example, ca_file: %q}]",
		"upstreams: [{host: a.example, client_certificate: {cert_file: %[1]q, key_file: %[1]q}}]",
		"legacy_tls: {ca: {cert_file: %[1]q, key_file: %[1]q}}",
	} {
		file := filepath.Join(t.TempDir(), "tlslift.yaml")
		if err := os.WriteFile(file, fmt.Appendf(nil, text, large), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := load(configs.Source{File: file}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
