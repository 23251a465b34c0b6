package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// written returns the path of a file with the content.
func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tlslift.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// loaded loads what must be valid, without its places.
func loaded(t *testing.T, s Source) *Config {
	t.Helper()
	c, err := Load(s)
	if err != nil {
		t.Fatalf("Load:\n%v", err)
	}
	c.origins = nil
	return c
}

func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	got := loaded(t, Source{File: written(t, Example)})
	if want := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("tlslift.yaml says\n%+v\nthe defaults are\n%+v", got, want)
	}
}
