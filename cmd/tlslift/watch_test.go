package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"
)

// waitChange fails unless a change is reported.
func waitChange(t *testing.T, w *watcher) {
	t.Helper()
	select {
	case <-w.changed:
	case <-time.After(30 * time.Second):
		t.Fatal("the change was not noticed")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWatcherSeesARename(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "c.yaml")
	write(t, file, "a")
	w := newWatcher(zap.NewNop(), []snapshot{takeSnapshot(file)}, func() []string { return []string{file, ""} })
	defer w.close()
	write(t, file+".new", "b")
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	waitChange(t, w)
}

// TestWatcherSeesKubernetesSwap: a ConfigMap's files are links through ..data,
// which is replaced as a whole.
func TestWatcherSeesKubernetesSwap(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"..1": "a", "..2": "b"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "c.yaml"), text)
	}
	link := func(to, name string) {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	link("..1", "..data")
	link("..data/c.yaml", "c.yaml")
	file := filepath.Join(dir, "c.yaml")
	w := newWatcher(zap.NewNop(), []snapshot{takeSnapshot(file)}, func() []string { return []string{file} })
	defer w.close()
	link("..2", "..data_tmp")
	if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	waitChange(t, w)
}

func TestWatcherKnowsWhatChangedBeforeItBegan(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.yaml")
	write(t, file, "a")
	loaded := takeSnapshot(file)
	write(t, file, "b")
	w := newWatcher(zap.NewNop(), []snapshot{loaded}, func() []string { return []string{file} })
	defer w.close()
	waitChange(t, w)
}

func TestWatcherIsNotConcernedByOtherFiles(t *testing.T) {
	t.Parallel()
	w := &watcher{files: func() []string { return []string{"/etc/tlslift/tlslift.yaml", ""} }}
	for name, want := range map[string]bool{
		"/etc/tlslift/tlslift.yaml": true, "/etc/tlslift/..data": true, "/etc/tlslift/ledger.db": false, "/etc/tlslift/x.log": false,
	} {
		if got := w.concerns(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
