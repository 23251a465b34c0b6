package inject_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tlslift/deploy/inject"
)

var update = flag.Bool("update", false, "write the golden files anew")

func options() inject.Options { return inject.Default("registry.example/tlslift:1.0") }

// inputs are the manifests in testdata/golden; beside each lies what comes out.
func inputs(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/golden/*")
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, f := range all {
		if !strings.Contains(f, ".injected") && !strings.HasSuffix(f, ".txt") {
			files = append(files, f)
		}
	}
	if len(files) < 6 {
		t.Fatalf("only %d inputs", len(files))
	}
	return files
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func must(t testing.TB, in []byte, o inject.Options) []byte {
	t.Helper()
	out, _, err := inject.Inject(in, o)
	if err != nil {
		t.Fatalf("inject: %v", err)
	}
	return out
}

func restore(t testing.TB, in []byte) []byte {
	t.Helper()
	out, _, err := inject.Uninject(in)
	if err != nil {
		t.Fatalf("uninject: %v", err)
	}
	return out
}

func TestGolden(t *testing.T) {
	for _, file := range inputs(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			in := read(t, file)
			out, results, err := inject.Inject(in, options())
			if err != nil {
				t.Fatal(err)
			}
			ext := filepath.Ext(file)
			compare(t, strings.TrimSuffix(file, ext)+".injected"+ext, out)
			compare(t, strings.TrimSuffix(file, ext)+".results.txt", []byte(told(results)))

			if again := must(t, out, options()); !bytes.Equal(again, out) {
				t.Errorf("injecting twice changes more:\n%s", again)
			}
			back := restore(t, out)
			if ext == ".json" || filepath.Base(file) == "aliases.yaml" {
				same(t, in, back) // written out anew
			} else if !bytes.Equal(withoutMarkers(back), withoutMarkers(in)) {
				t.Errorf("uninject gives\n%s\ninstead of\n%s", back, in)
			}
		})
	}
}

// withoutMarkers levels what is not kept on the line of a marker.
func withoutMarkers(text []byte) []byte {
	return bytes.ReplaceAll(text, []byte("--- #"), []byte("---\n#"))
}

func told(results []inject.Result) string {
	var b strings.Builder
	for _, r := range results {
		b.WriteString(r.Action.String() + " " + r.Kind + " " + r.Namespace + "/" + r.Name + "\n")
		for _, n := range r.Notes {
			b.WriteString("  " + n + "\n")
		}
	}
	return b.String()
}

func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, file); !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s", file, got)
	}
}

// same compares two streams by their values.
func same(t testing.TB, a, b []byte) {
	t.Helper()
	if x, y := values(t, a), values(t, b); x != y {
		t.Errorf("not the same values:\n%s\n---- and\n%s", x, y)
	}
}

// values writes a stream's values with sorted keys, aliases written out.
func values(t testing.TB, in []byte) string {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(in))
	var b strings.Builder
	for {
		var v any
		if err := dec.Decode(&v); err != nil {
			return b.String()
		}
		out, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString("---\n" + string(out))
	}
}
