package main

import (
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// settle is how long files must be still before they are read: editors and
// Kubernetes write in several steps.
const settle = 300 * time.Millisecond

// watcher reports changes of the configuration file and of the files it names.
// It watches their folders, since editors rename and Kubernetes swaps symlinks,
// and compares contents, so that only a real change is reported.
type watcher struct {
	changed chan struct{}
	stop    chan struct{}
	fs      *fsnotify.Watcher
	files   func() []string
	log     *zap.Logger
}

// newWatcher starts watching. loaded is what the files were just before they
// were loaded; files names what is watched and is asked again after each
// change. A process that cannot watch goes on without.
func newWatcher(log *zap.Logger, loaded []snapshot, files func() []string) *watcher {
	w := &watcher{changed: make(chan struct{}, 1), stop: make(chan struct{}), files: files, log: log}
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("cannot watch the configuration for changes; use SIGHUP", zap.Error(err))
		return w
	}
	w.fs = fs
	before := w.look()
	for _, s := range loaded {
		if takeSnapshot(s.files...).sum != s.sum {
			w.changed <- struct{}{} // between loading and now
			break
		}
	}
	go w.run(before)
	return w
}

func (w *watcher) close() {
	close(w.stop)
	if w.fs != nil {
		w.fs.Close()
	}
}

func (w *watcher) run(before digest) {
	timer := time.NewTimer(settle)
	timer.Stop()
	for {
		select {
		case <-w.stop:
			return
		case e, ok := <-w.fs.Events:
			if !ok {
				return
			}
			if w.concerns(e.Name) {
				timer.Reset(settle)
			}
		case err, ok := <-w.fs.Errors:
			if !ok {
				return
			}
			w.log.Warn("watching the configuration", zap.Error(err))
			timer.Reset(settle)
		case <-timer.C:
			now := w.look()
			if now == before {
				continue
			}
			before = now
			select {
			case w.changed <- struct{}{}:
			default:
			}
		}
	}
}

// concerns reports whether a change of name can be one of ours: the ledger or a
// log in the same folder change all the time. Kubernetes swaps a link whose
// name begins with two dots.
func (w *watcher) concerns(name string) bool {
	base := filepath.Base(name)
	if strings.HasPrefix(base, "..") {
		return true
	}
	for _, f := range w.files() {
		if filepath.Base(f) == base {
			return true
		}
	}
	return false
}

// look watches every folder that matters and returns a digest of all contents.
func (w *watcher) look() digest {
	files := w.files()
	for _, f := range files {
		if abs, err := filepath.Abs(f); f != "" && err == nil {
			_ = w.fs.Add(filepath.Dir(abs))
		}
	}
	return digestOf(files...)
}

// snapshot is what files were at one time.
type snapshot struct {
	files []string
	sum   digest
}

func takeSnapshot(files ...string) snapshot { return snapshot{files, digestOf(files...)} }

// digest is a sum over names and contents of files.
type digest [sha256.Size]byte

// digestOf reads files; one that cannot be read counts as empty.
func digestOf(files ...string) digest {
	sum := sha256.New()
	for _, f := range files {
		if f == "" {
			continue
		}
		io.WriteString(sum, f+"\x00")
		if in, err := os.Open(f); err == nil {
			_, _ = io.Copy(sum, io.LimitReader(in, 16<<20))
			in.Close()
		}
	}
	return digest(sum.Sum(nil))
}
