package main

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// watch watches until the end of the test.
func watch(t *testing.T, loaded ...snapshot) *watcher {
	t.Helper()
	w := newWatcher(loaded)
	go w.run(t.Context().Done())
	return w
}

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
	w := watch(t, takeSnapshot(file))
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
	w := watch(t, takeSnapshot(file))
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
	w := watch(t, loaded)
	waitChange(t, w)
}

// Neither another file of the folder nor a file that was only touched is a change.
// testing/synctest gives each look its time.
func TestWatcherReportsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "c.yaml")
		write(t, file, "a")
		w := watch(t, takeSnapshot(file))
		for _, alter := range []func(){
			func() { write(t, filepath.Join(filepath.Dir(file), "ledger.json"), "{}") },
			func() {
				if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
					t.Fatal(err)
				}
			},
			func() { write(t, file, "b"); time.Sleep(settle / 2); write(t, file, "a") },
		} {
			alter()
			time.Sleep(10 * settle)
			synctest.Wait()
			if len(w.changed) != 0 {
				t.Fatal("a change was reported")
			}
		}
		write(t, file, "b")
		time.Sleep(3 * settle)
		if len(w.changed) != 1 {
			t.Error("the change was not reported")
		}
	})
}

// TestWatcherFollowsLinks: a release folder that is swapped, and a link into
// another folder, whose file is replaced there.
func TestWatcherFollowsLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"v1": "a", "v2": "b"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "c.yaml"), text)
	}
	current := filepath.Join(dir, "current")
	if err := os.Symlink("v1", current); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(current, "c.yaml")
	w := watch(t, takeSnapshot(file))
	if err := os.Symlink("v2", current+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(current+".new", current); err != nil {
		t.Fatal(err)
	}
	waitChange(t, w)
	w.refresh([]snapshot{takeSnapshot(file)})
	write(t, filepath.Join(dir, "v2", "c.yaml.new"), "c")
	if err := os.Rename(filepath.Join(dir, "v2", "c.yaml.new"), filepath.Join(dir, "v2", "c.yaml")); err != nil {
		t.Fatal(err)
	}
	waitChange(t, w)
}

// TestWatcherLearnsNewFiles: what a reload names for the first time is watched
// from then on.
func TestWatcherLearnsNewFiles(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	write(t, first, "1")
	write(t, second, "1")
	w := watch(t, takeSnapshot(first))
	write(t, first, "2")
	waitChange(t, w)
	w.refresh([]snapshot{takeSnapshot(first, second)})
	write(t, second, "2")
	waitChange(t, w)
}

// TestWatcherReadsAgainWhatCouldNotBeRead: that a file can be read again does not
// show in its state, as when its owner was changed.
func TestWatcherReadsAgainWhatCouldNotBeRead(t *testing.T) {
	t.Parallel()
	for _, unread := range []error{nil, os.ErrPermission} {
		synctest.Test(t, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "c.yaml")
			at := time.Unix(1, 0)
			alter := func(text string) {
				write(t, file, text)
				if err := os.Chtimes(file, at, at); err != nil {
					t.Fatal(err)
				}
			}
			alter("a")
			loaded := takeSnapshot(file)
			loaded.unread = unread
			w := watch(t, loaded)
			time.Sleep(10 * settle)
			synctest.Wait()
			if len(w.changed) != 0 {
				t.Fatal("a change was reported")
			}
			alter("b")
			time.Sleep(3 * settle)
			if got := len(w.changed) == 1; got != (unread != nil) {
				t.Errorf("%v: reported %t", unread, got)
			}
		})
	}
}
