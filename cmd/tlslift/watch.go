package main

import (
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// settle is how often files are looked at, and how long they must be still before
// they are read: editors and Kubernetes write in several steps.
const settle = 300 * time.Millisecond

// watcher reports changes of the configuration file and of the files it names. It
// asks for their state again and again, because that follows every link and works
// on every file system, and compares contents, so that only a real change is
// reported.
type watcher struct {
	changed chan struct{}
	loaded  atomic.Pointer[[]snapshot]
}

func newWatcher(loaded []snapshot) *watcher {
	w := &watcher{changed: make(chan struct{}, 1)}
	w.refresh(loaded)
	return w
}

// refresh says what the files were just before they were loaded, also if they were
// refused.
func (w *watcher) refresh(loaded []snapshot) { w.loaded.Store(&loaded) }

// run looks until stop is closed.
func (w *watcher) run(stop <-chan struct{}) {
	tick := time.NewTicker(settle)
	defer tick.Stop()
	var loaded *[]snapshot
	var seen, compared []os.FileInfo // at the last look, and when the contents were compared
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if next := w.loaded.Load(); next != loaded {
			loaded, compared = next, nil
		}
		now := look(*loaded)
		still := slices.EqualFunc(now, seen, sameState)
		seen = now
		// A file that becomes readable, by a change of its owner or of a directory above
		// it, need not change its state.
		unread := slices.ContainsFunc(*loaded, func(s snapshot) bool { return s.unread != nil })
		if !still || !unread && slices.EqualFunc(now, compared, sameState) {
			continue
		}
		changed, err := compare(*loaded)
		if err != nil {
			continue // later
		}
		compared = now
		if changed {
			select {
			case w.changed <- struct{}{}:
			default:
			}
		}
	}
}

// compare reports whether files differ from those that were loaded. It fails while
// this process has no descriptor left to read them with.
func compare(loaded []snapshot) (changed bool, err error) {
	for _, s := range loaded {
		now := takeSnapshot(s.files...)
		if errors.Is(now.unread, syscall.EMFILE) || errors.Is(now.unread, syscall.ENFILE) {
			return false, now.unread
		}
		changed = changed || now.sum != s.sum
	}
	return changed, nil
}

// look returns the state of each file, nil for one that is not there.
func look(loaded []snapshot) []os.FileInfo {
	var states []os.FileInfo
	for _, s := range loaded {
		for _, f := range s.files {
			info, _ := os.Stat(f)
			states = append(states, info)
		}
	}
	return states
}

func sameState(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// snapshot is what files were at one time.
type snapshot struct {
	files  []string
	sum    [sha256.Size]byte // over their names and contents
	unread error             // why one that is there could not be read; nil = all were
}

// takeSnapshot reads files; one that cannot be read counts as empty. Only regular
// ones are read: opening another can block, and reading it takes what is in it.
func takeSnapshot(files ...string) snapshot {
	sum := sha256.New()
	var unread error
	for _, f := range files {
		io.WriteString(sum, f+"\x00")
		if info, err := os.Stat(f); err != nil || !info.Mode().IsRegular() {
			continue
		}
		in, err := os.Open(f)
		if err != nil {
			unread = err
			continue
		}
		_, _ = io.Copy(sum, io.LimitReader(in, 16<<20))
		in.Close()
	}
	return snapshot{files, [sha256.Size]byte(sum.Sum(nil)), unread}
}
