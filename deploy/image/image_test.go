package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unpack returns an archive's files, and the names in their order.
func unpack(t *testing.T, data []byte) (map[string][]byte, map[string]*tar.Header, []string) {
	t.Helper()
	files, headers := map[string][]byte{}, map[string]*tar.Header{}
	var names []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, headers, names
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name], headers[h.Name] = content, h
		names = append(names, h.Name)
	}
}

func make1(t *testing.T, args ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image.tar")
	if status := run(append([]string{"-o", out, "-t", "tlslift:1.0", "-arch", "amd64"}, args...)); status != 0 {
		t.Fatalf("status %d", status)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, name, text string, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImageOfABinary(t *testing.T) {
	t.Parallel()
	binary, ca := write(t, "tlslift", "BINARY", 0o600), write(t, "ca.crt", "CERTIFICATES", 0o600)
	notices := write(t, "notices.txt", "NOTICES", 0o600)
	data := make1(t, "-ca", ca, "-legal", notices, "-version", "1.0", binary, "run")
	if !bytes.Equal(data, make1(t, "-ca", ca, "-legal", notices, "-version", "1.0", binary, "run")) {
		t.Error("the same input gives other bytes")
	}
	files, _, names := unpack(t, data)
	if names[0] != "manifest.json" {
		t.Errorf("first %s", names[0])
	}
	var manifest []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil || len(manifest) != 1 || manifest[0].RepoTags[0] != "tlslift:1.0" {
		t.Fatalf("%v, %s", err, files["manifest.json"])
	}
	var config struct {
		Config settings
		Rootfs struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}
	if err := json.Unmarshal(files[manifest[0].Config], &config); err != nil {
		t.Fatal(err)
	}
	layer := files[manifest[0].Layers[0]]
	if config.Rootfs.DiffIDs[0] != "sha256:"+digest(layer) || config.Config.User != "47128:47128" ||
		!slices.Equal(config.Config.Entrypoint, []string{"/tlslift"}) || !slices.Equal(config.Config.Cmd, []string{"run"}) {
		t.Errorf("%+v", config)
	}
	inside, headers, order := unpack(t, layer)
	if string(inside["tlslift"]) != "BINARY" || headers["tlslift"].Mode != 0o755 || string(inside["etc/ssl/certs/ca-certificates.crt"]) != "CERTIFICATES" {
		t.Errorf("%v", order)
	}
	if !slices.Equal(order, []string{"etc/", "etc/ssl/", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt", "licenses/", "licenses/notices.txt", "tlslift"}) {
		t.Errorf("not only what was asked for: %v", order)
	}
}

func TestImageOfAFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "usr/bin"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "usr/bin/app"), []byte("APP"), 0o700); err != nil { //nolint:gosec // it has to be executable
		t.Fatal(err)
	}
	if err := os.Symlink("usr/bin", filepath.Join(root, "bin")); err != nil {
		t.Fatal(err)
	}
	files, _, names := unpack(t, make1(t, "-user", "1000:1000", "-root", root, "/bin/app"))
	inside, headers, _ := unpack(t, files[names[2]])
	if string(inside["usr/bin/app"]) != "APP" || headers["bin"].Linkname != "usr/bin" || headers["usr/"] == nil {
		t.Errorf("%v", headers)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	binary := write(t, "tlslift", "BINARY", 0o600)
	for want, i := range map[string]image{
		"is not NAME:TAG": {tag: "tlslift", config: settings{User: "1:1"}},
		"is not UID:GID":  {tag: "tlslift:1", config: settings{User: "nobody"}},
	} {
		if err := build(&i, "x", sources{command: []string{binary}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	i := image{tag: "tlslift:1", config: settings{User: "1:1"}}
	if err := build(&i, "", sources{command: []string{binary}}); err == nil || !strings.Contains(err.Error(), "usage") {
		t.Error(err)
	}
	if err := build(&i, "x", sources{command: []string{binary + ".missing"}}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
