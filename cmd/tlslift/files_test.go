package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The ledger is written beside the file that a link leads to, so that directory is
// the one to be writable.
func TestTheDirectoryOfALinkedStateFile(t *testing.T) {
	t.Parallel()
	target, err := filepath.EvalSymlinks(stateFile(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	link, none := filepath.Join(dir, "link.json"), filepath.Join(dir, "none.json")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{target: filepath.Dir(target), link: filepath.Dir(target), none: dir} {
		if got := stateDir(file); got != want {
			t.Errorf("%s: %s, want %s", file, got, want)
		}
	}
}
