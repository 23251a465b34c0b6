package configs

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the messages that testdata/*/*.txt expect")

// TestInvalid loads each file of testdata/invalid and compares the problems with
// the .txt beside it, whole.
func TestInvalid(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/invalid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			_, err := Load(Source{File: file})
			if _, ok := errors.AsType[Problems](err); !ok {
				t.Fatalf("got %v, want Problems", err)
			}
			got := strings.ReplaceAll(err.Error(), filepath.Dir(file)+string(filepath.Separator), "") + "\n"
			beside := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(beside, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(beside)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func TestProblemsAreBounded(t *testing.T) {
	t.Parallel()
	path := written(t, "upstreams:\n"+strings.Repeat("- {hots: a}\n", maxEntries))
	_, err := Load(Source{File: path})
	problems, ok := errors.AsType[Problems](err)
	if !ok || len(problems) != maxProblems {
		t.Errorf("got %d problems, want %d", len(problems), maxProblems)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	t.Parallel()
	_, err := Load(Source{File: written(t, "others: "+strings.Repeat("é", 5000))})
	if err == nil || len(err.Error()) > 500 || strings.ContainsRune(err.Error(), '\uFFFD') {
		t.Errorf("got %v", err)
	}
}

func TestUnreadableConfigurations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := written(t, "# "+strings.Repeat("x", maxFile))
	const name, write = "name a file that tlslift can read", "write the configuration to a file and name that with --config: it is read again for each reload and upgrade"
	for title, c := range map[string]struct{ file, want string }{
		"missing":   {filepath.Join(dir, "a.yaml"), "cannot be read: no such file or directory; " + name},
		"folder":    {dir, "cannot be read: it is not a regular file; " + write},
		"device":    {os.DevNull, "cannot be read: it is not a regular file; " + write},
		"too large": {large, "cannot be read: it is larger than 1048576 bytes; " + name},
	} {
		for _, reload := range []bool{false, true} {
			_, err := Load(Source{File: c.file, Reload: reload})
			if want := c.file + ": " + c.want; err == nil || err.Error() != want {
				t.Errorf("%s, reload %v: got %v, want %s", title, reload, err, want)
			}
		}
	}
}

func TestEmptyFileIsAnErrorOnReload(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "\n", "# nothing\n", "---\n", "null\n"} {
		path := written(t, content)
		if _, err := Load(Source{File: path}); err != nil {
			t.Errorf("start with %q: %v", content, err)
		}
		_, err := Load(Source{File: path, Reload: true})
		if want := path + ": is empty; write {} to use the defaults"; err == nil || err.Error() != want {
			t.Errorf("reload with %q: got %v, want %s", content, err, want)
		}
	}
	if _, err := Load(Source{File: written(t, "{}"), Reload: true}); err != nil {
		t.Errorf("reload with {}: %v", err)
	}
	if _, err := Load(Source{Reload: true}); err != nil {
		t.Errorf("reload without a file: %v", err)
	}
}
