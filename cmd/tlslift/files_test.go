package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/configs"
)

// The ledger is written beside the file that a link leads to, so that directory is
// the one to be writable.
func TestTheDirectoryOfALinkedStateFile(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 { // root can write everywhere
		t.Skip("needs a user that file modes apply to")
	}
	closed, open := t.TempDir(), t.TempDir()
	for at, to := range map[string]string{filepath.Join(closed, "link.json"): stateFile(t), filepath.Join(open, "link.json"): filepath.Join(closed, "ledger.json")} {
		if err := os.Symlink(to, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(closed, "ledger.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	for dir, want := range map[string]string{closed: "", open: "cannot write to the directory " + closed} {
		cfg := configs.Default()
		cfg.State.File = filepath.Join(dir, "link.json")
		if notes := strings.Join(stateFileNotes(cfg), "\n"); (notes == "") != (want == "") || !strings.Contains(notes, want) {
			t.Errorf("%q, want %q", notes, want)
		}
	}
}
