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

// settle is how often files are checked, and how long they must be unchanged
// before they are read: editors and Kubernetes write in several steps.
const settle = 300 * time.Millisecond

// watcher reports changes to the configuration file and the files it names. It
// polls their state, because that follows every link and works on every file
// system. It compares contents, so it reports only real changes.
type watcher struct {
	changed chan struct{}
	loaded  atomic.Pointer[[]snapshot]
}

func newWatcher(loaded []snapshot) *watcher {
	w := &watcher{changed: make(chan struct{}, 1)}
	w.refresh(loaded)
	return w
}

// refresh sets what the files were just before they were loaded, even if they
// were then rejected.
func (w *watcher) refresh(loaded []snapshot) { w.loaded.Store(&loaded) }

// run polls until stop is closed.
func (w *watcher) run(stop <-chan struct{}) {
	tick := time.NewTicker(settle)
	defer tick.Stop()
	var loaded *[]snapshot
	var seen, compared []os.FileInfo // at the last poll, and when the contents were last compared
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
		// A file can become readable through a change of its owner or of a parent
		// directory, without a change in its own state.
		unread := slices.ContainsFunc(*loaded, func(s snapshot) bool { return s.unread != nil })
		if !still || !unread && slices.EqualFunc(now, compared, sameState) {
			continue
		}
		changed, err := compare(*loaded)
		if err != nil {
			continue // retry later
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

// compare reports whether files differ from those that were loaded. It fails if
// this process has no descriptors left to read them with.
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

// look returns the state of each file; nil = it does not exist.
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

// snapshot is the state of files at one time.
type snapshot struct {
	files  []string
	sum    [sha256.Size]byte // over their names and contents
	unread error             // why an existing file could not be read; nil = all were
}

// takeSnapshot reads files; one that cannot be read counts as empty. It reads
// only regular files, because opening another can block, and reading it consumes
// its contents.
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
