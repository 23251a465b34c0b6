package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const injectable = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  namespace: n\nspec:\n  containers:\n    - name: app\n      image: a:1\n"

// inject runs `tlslift inject` and returns its two outputs.
func runInject(in string, args ...string) (out, told string, err error) {
	cmd := newRootCommand()
	var stdout, stderr bytes.Buffer
	cmd.SetIn(strings.NewReader(in))
	cmd.SetOut(&stdout)
	cmd.SetErr(&stderr)
	cmd.SetArgs(append([]string{"inject"}, args...))
	err = cmd.Execute()
	return stdout.String(), stderr.String(), err
}

func TestInjectStandardInputAndBack(t *testing.T) {
	t.Parallel()
	out, told, err := runInject(injectable, "--image", "registry.example/tlslift:1", "--memory-limit", "96Mi")
	if err != nil || told != "Pod n/p: injected\n" {
		t.Fatalf("%q, %v", told, err)
	}
	for _, want := range []string{"image: registry.example/tlslift:1\n", "memory: 96Mi\n", "name: http_proxy\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	back, told, err := runInject(out, "--uninject")
	if err != nil || back != injectable || told != "Pod n/p: sidecar removed\n" {
		t.Errorf("%q, %v:\n%s", told, err, back)
	}
}

func TestInjectWithoutImageWarns(t *testing.T) {
	t.Parallel()
	_, told, err := runInject(injectable)
	if err != nil || !strings.Contains(told, "warning: image tlslift:"+version+" names no registry") {
		t.Errorf("%q, %v", told, err)
	}
	first, _, _ := strings.Cut(newInjectCommand().Example, "\n")
	if !strings.Contains(first, "--image ") {
		t.Errorf("the first example names no image: %s", first)
	}
}

func TestInjectFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.yaml"), filepath.Join(dir, "two.yaml")
	for file, text := range map[string]string{one: "a: 1", two: injectable} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, told, err := runInject("", "-f", one, "-f", two, "--transparent", "--ipv4-only", "--quiet")
	if err != nil || told != "" || !strings.HasPrefix(out, "a: 1\n---\n") || !strings.Contains(out, "- --ipv4-only\n") {
		t.Errorf("%q, %v:\n%s", told, err, out)
	}
}

// Of several files the one with the mistake is named, and the line in it.
func TestInjectNamesTheFileOfAMistake(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one.yaml"), filepath.Join(dir, "two.yaml")
	for file, text := range map[string]string{one: injectable, two: "a: 1\n---\n" + strings.Replace(injectable, "  namespace: n\n", "  annotations: {tlslift/x: y}\n", 1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, told, err := runInject("", "-f", one, "-f", two)
	if want := two + ": document 2: Pod p: line 7: "; err == nil || !strings.HasPrefix(err.Error(), want) || out != "" || told != "" {
		t.Errorf("%v instead of %s; out %q, told %q", err, want, out, told)
	}
}

// A file without a workload is named, with what is in it, and passes. If there is
// no object at all, the command before it in a pipe has probably failed.
func TestInjectWithoutAWorkload(t *testing.T) {
	t.Parallel()
	const others = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
	file := filepath.Join(t.TempDir(), "others.yaml")
	if err := os.WriteFile(file, []byte(others), 0o600); err != nil {
		t.Fatal(err)
	}
	out, told, err := runInject(injectable, "-f", file, "-f", "-")
	if want := "tlslift: " + file + " has no workload, only ConfigMap web, Service web\nPod n/p: injected\n"; err != nil || !strings.HasPrefix(told, want) || !strings.HasPrefix(out, others) {
		t.Errorf("%v; told %q, want %q; out %q", err, told, want, out)
	}
	out, told, err = runInject("apiVersion: v1\nkind: List\nitems: []\n")
	if err != nil || told != "tlslift: standard input has no workload, only List\n" || out == "" {
		t.Errorf("an empty list: %v; told %q; out %q", err, told, out)
	}
	for _, in := range []string{"", "# nothing\n", "replicas: 3\n"} {
		out, told, err = runInject(in)
		var usage usageError
		if err == nil || errors.As(err, &usage) || err.Error() != "no Kubernetes object in standard input: an object has apiVersion and kind" || out+told != "" {
			t.Errorf("%q: %v; told %q; out %q", in, err, told, out)
		}
	}
}

func TestInjectMistakes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in    string
		args  []string
		usage bool
		want  string
	}{
		"image":      {injectable, []string{"--image", "a b"}, true, `--image "a b"`},
		"port":       {injectable, []string{"--port", "0"}, true, `--port "0": write a number from 1 to 65535`},
		"no number":  {injectable, []string{"--status-port", "abc"}, true, `--status-port "abc": write a number from 1 to 65535`},
		"argument":   {injectable, []string{"app.yaml"}, true, "takes no argument"},
		"no file":    {injectable, []string{"-f", "missing.yaml"}, false, "missing.yaml"},
		"annotation": {strings.Replace(injectable, "  namespace: n\n", "  annotations: {tlslift/x: y}\n", 1), nil, false, "standard input: document 1: Pod p: line 5: unknown annotation tlslift/x"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := runInject(tt.in, tt.args...)
			var usage usageError
			if err == nil || errors.As(err, &usage) != tt.usage || !strings.Contains(err.Error(), tt.want) || out != "" {
				t.Errorf("%v (usage %v), out %q", err, errors.As(err, &usage), out)
			}
		})
	}
}
