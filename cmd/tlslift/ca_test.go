package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/configs"

	"tlslift/proxy/authority"
)

// runCA runs one ca subcommand as main would, and gives what it printed and
// its exit status.
func runCA(args ...string) (string, int) {
	root := newRootCommand()
	var out bytes.Buffer
	root.SetArgs(append([]string{"ca"}, args...))
	root.SetOut(&out)
	root.SetErr(&out)
	err := root.Execute()
	if err == nil {
		return out.String(), exitDone
	}
	return out.String() + err.Error(), statusOf(err)
}

func TestCAInitShowExport(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	out, status := runCA("init", "--dir", dir, "--days", "400")
	if status != exitDone || !strings.Contains(out, "legacy_tls:") {
		t.Fatalf("init: %d, %s", status, out)
	}
	out, status = runCA("show", "--cert", filepath.Join(dir, authority.CAFile))
	for _, want := range []string{"smsportal.com, mymobileapi.com, check.tlslift.test and below", "(not critical)", "(399 days left)", "itself"} {
		if status != exitDone || !strings.Contains(out, want) {
			t.Errorf("show: %d, no %q in\n%s", status, want, out)
		}
	}
	for _, format := range []string{"pem", "der", "pkcs12"} {
		file := filepath.Join(dir, "for-clients."+format)
		out, status = runCA("export", "--cert", filepath.Join(dir, authority.RootFile), "--format", format, "--out", file)
		if status != exitDone || !strings.Contains(out, "keytool") {
			t.Errorf("export as %s: %d, %s", format, status, out)
		}
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("export as %s: %v", format, err)
		}
	}
	if out, status = runCA("init", "--dir", dir); status != exitFailed || !strings.Contains(out, "never overwritten") {
		t.Errorf("init over files: %d, %s", status, out)
	}
}

func TestCACritical(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, status := runCA("init", "--dir", dir, "--domain", "*.a.example", "--critical"); status != exitDone {
		t.Fatalf("%d, %s", status, out)
	}
	out, _ := runCA("show", "--cert", filepath.Join(dir, authority.CAFile))
	if !strings.Contains(out, "a.example, check.tlslift.test and below, IP addresses excluded (critical)") {
		t.Error(out)
	}
}

func TestCAExitStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.pem")
	if err := os.WriteFile(broken, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args string
		want int
	}{
		{"", exitUsage},
		{"init", exitUsage},
		{"init --dir " + dir + "/x --days 0", exitUsage},
		{"init --dir " + dir + "/x --days many", exitUsage},
		{"init --dir " + dir + "/x --domain 192.0.2.1", exitUsage},
		{"init --dir " + dir + "/x extra", exitUsage},
		{"init --dir " + broken + "/x", exitFailed},
		{"show", exitUsage},
		{"show --cert " + dir + "/missing", exitFailed},
		{"show --cert " + broken, exitFailed},
		{"export --cert " + broken, exitUsage},
		{"export --cert " + broken + " --format jks --out " + dir + "/o", exitUsage},
		{"export --cert " + broken + " --out " + dir + "/o", exitFailed},
		{"export --out " + dir + "/o", exitUsage},
	} {
		if out, status := runCA(strings.Fields(c.args)...); status != c.want {
			t.Errorf("ca %s: exit status %d, want %d: %s", c.args, status, c.want, out)
		}
	}
	if _, err := os.Stat(dir + "/x"); err == nil {
		t.Error("a refused init left a directory")
	}
}

// A mistake is named with the flag that it is in.
func TestCAMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, status := runCA("init", "--dir", dir); status != exitDone || strings.Contains(out, "note: ") {
		t.Fatalf("%d, %s", status, out)
	}
	root, key := filepath.Join(dir, authority.RootFile), filepath.Join(dir, authority.KeyFile)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"init", "--dir", root}, "--dir " + root + ": it is a file, not a directory; name another"},
		{[]string{"init", "--dir", filepath.Join(dir, "x"), "--domain", "192.0.2.1"}, `--domain "192.0.2.1"`},
		{[]string{"init", "--dir", filepath.Join(dir, "y"), "--domain", "co.za"}, "note: --domain co.za permits every site below co.za"},
		{[]string{"show", "--cert", key}, "--cert " + key + ": it is a private key, not a certificate"},
		{[]string{"export", "--cert", root, "--format", "jks", "--out", "o"}, `--format "jks": write pem, der or pkcs12`},
		{[]string{"export", "--cert", root, "--out", filepath.Join(dir, "no", "o")}, "--out: open "},
	} {
		if out, _ := runCA(c.args...); !strings.Contains(out, c.want) {
			t.Errorf("ca %v: %s", c.args, out)
		}
	}
}

// An export to - is all that standard output gets: no file, and no instructions for one.
func TestCAExportToStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	if out, status := runCA("init", "--dir", "ca"); status != exitDone {
		t.Fatalf("%d, %s", status, out)
	}
	root, err := os.ReadFile(filepath.Join("ca", authority.RootFile))
	if err != nil {
		t.Fatal(err)
	}
	if out, status := runCA("export", "--cert", filepath.Join("ca", authority.CAFile), "--out", "-"); status != exitDone || out != string(root) {
		t.Errorf("%d, %s", status, out)
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("a file called - was written")
	}
}

// An export overwrites neither a key nor the certificates that it reads.
func TestCAExportSparesWhatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ca")
	if out, status := runCA("init", "--dir", dir); status != exitDone {
		t.Fatalf("%d, %s", status, out)
	}
	ca, key, link := filepath.Join(dir, authority.CAFile), filepath.Join(dir, authority.KeyFile), filepath.Join(dir, "link.pem")
	if err := os.Link(ca, link); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	derKey := filepath.Join(dir, "key.der")
	if err := os.WriteFile(derKey, block.Bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ out, format, want string }{
		{key, "pem", "it holds a private key, which would be overwritten; name another file"},
		{derKey, "pem", "it holds a private key, which would be overwritten; name another file"},
		{ca, "der", "it is the file of --cert, which would be overwritten; name another file"},
		{link, "der", "it is the file of --cert, which would be overwritten; name another file"},
	} {
		before, err := os.ReadFile(c.out)
		if err != nil {
			t.Fatal(err)
		}
		out, status := runCA("export", "--cert", ca, "--format", c.format, "--out", c.out)
		after, err := os.ReadFile(c.out)
		if err != nil || status != exitUsage || !strings.Contains(out, "--out "+c.out+": "+c.want) || !bytes.Equal(before, after) {
			t.Errorf("%s as %s: %d, %s; changed: %v", c.out, c.format, status, out, !bytes.Equal(before, after))
		}
	}
}

// An export replaces a root certificate, an earlier export and an empty file, and
// nothing else.
func TestCAExportReplacesRootsAlone(t *testing.T) {
	t.Parallel()
	dir, other := filepath.Join(t.TempDir(), "ca"), filepath.Join(t.TempDir(), "ca")
	for _, d := range []string{dir, other} {
		if out, status := runCA("init", "--dir", d); status != exitDone {
			t.Fatalf("%d, %s", status, out)
		}
	}
	read := func(dir, name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	root, ca := filepath.Join(dir, authority.RootFile), filepath.Join(dir, authority.CAFile)
	own, foreign := read(dir, authority.RootFile), read(other, authority.RootFile)
	exports := make(map[string]string)
	for _, format := range []string{"pem", "der", "pkcs12"} {
		if out, status := runCA("export", "--cert", root, "--format", format, "--out", filepath.Join(dir, format)); status != exitDone {
			t.Fatalf("%d, %s", status, out)
		}
		exports["an export as "+format] = read(dir, format)
	}
	const kept = "it holds something other than one root certificate, which would be overwritten; name another file, or remove this one first"
	for name, c := range map[string]struct{ holds, refused string }{
		"an export as pem":            {exports["an export as pem"], ""},
		"an export as der":            {exports["an export as der"], ""},
		"an export as pkcs12":         {exports["an export as pkcs12"], ""},
		"an empty file":               {"", ""},
		"the root of another CA":      {foreign, ""},
		"the CA that signs":           {read(dir, authority.CAFile), kept},
		"a bundle of roots":           {foreign + own, kept},
		"a configuration with a root": {"# ca\n" + own, kept},
		"a list of words":             {"billing\n", kept},
		"a configuration":             {"others: pass\n", "it is a configuration of tlslift, which would be overwritten; name another file"},
	} {
		for _, source := range []string{root, ca} {
			for _, format := range []string{"pem", "der", "pkcs12"} {
				file := filepath.Join(t.TempDir(), "there")
				if err := os.WriteFile(file, []byte(c.holds), 0o600); err != nil {
					t.Fatal(err)
				}
				out, status := runCA("export", "--cert", source, "--format", format, "--out", file)
				switch after, err := os.ReadFile(file); {
				case err != nil:
					t.Error(err)
				case c.refused == "" && (status != exitDone || len(after) == 0):
					t.Errorf("%s is not replaced by %s: %d, %s", name, format, status, out)
				case c.refused != "" && (status != exitUsage || !strings.Contains(out, "--out "+file+": "+c.refused) || string(after) != c.holds):
					t.Errorf("%s, replaced by %s: %d, %s; changed: %t", name, format, status, out, string(after) != c.holds)
				}
			}
		}
	}
}

// What ca init --sha1 prints is a configuration without a note; a CA without the
// twin gets one.
func TestSHA1LeafNeedsItsIntermediate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags []string
		noted bool
	}{"without --sha1": {nil, true}, "with --sha1": {[]string{"--sha1"}, false}} {
		dir := filepath.Join(t.TempDir(), "ca")
		out, status := runCA(append([]string{"init", "--dir", dir}, c.flags...)...)
		if status != exitDone || strings.Contains(out, "sha1_leaf: true") == c.noted {
			t.Fatalf("%s: %d, %s", name, status, out)
		}
		file := filepath.Join(t.TempDir(), "tlslift.yaml")
		text := fmt.Sprintf("legacy_tls: {sha1_leaf: true, ca: {cert_file: %q, key_file: %q}}\n", filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca-key.pem"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := load(configs.Source{File: file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if noted := strings.Contains(strings.Join(warnings(in), "\n"), "has no SHA-1 signed intermediate"); noted != c.noted {
			t.Errorf("%s: %q", name, warnings(in))
		}
	}
}
