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
	again   chan []snapshot // the list of files may have changed
	stop    chan struct{}
	fs      *fsnotify.Watcher
	files   func() []string
	names   map[string]bool // last elements of what is watched; the goroutine's own
	log     *zap.Logger
}

// newWatcher starts watching. loaded is what the files were just before they
// were loaded; files names what is watched and is asked again after each
// change. A process that cannot watch goes on without.
func newWatcher(log *zap.Logger, loaded []snapshot, files func() []string) *watcher {
	w := &watcher{changed: make(chan struct{}, 1), again: make(chan []snapshot, 8), stop: make(chan struct{}), files: files, log: log}
	fs, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("cannot watch the configuration for changes; use SIGHUP", zap.Error(err))
		return w
	}
	w.fs = fs
	go w.run(w.lookSince(loaded))
	return w
}

// refresh tells the watcher that a reload may have named other files. loaded is
// what the files were just before they were read.
func (w *watcher) refresh(loaded ...snapshot) {
	if w.fs == nil {
		return
	}
	select {
	case w.again <- loaded:
	case <-w.stop:
	}
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
		case loaded := <-w.again:
			before = w.lookSince(loaded)
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
			w.report()
		}
	}
}

func (w *watcher) report() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// lookSince looks, and reports at once what has changed since it was loaded.
func (w *watcher) lookSince(loaded []snapshot) digest {
	now := w.look()
	for _, s := range loaded {
		if takeSnapshot(s.files...).sum != s.sum {
			w.report()
			break
		}
	}
	return now
}

// concerns reports whether a change of name can be one of ours: the ledger or a
// log in the same folder change all the time. Kubernetes swaps a link whose
// name begins with two dots.
func (w *watcher) concerns(name string) bool {
	base := filepath.Base(name)
	return strings.HasPrefix(base, "..") || w.names[base]
}

// look watches every folder that matters and returns a digest of all contents.
func (w *watcher) look() digest {
	files := w.files()
	w.names = make(map[string]bool)
	for _, f := range files {
		if f == "" {
			continue
		}
		for _, p := range steps(f) {
			w.names[filepath.Base(p)] = true
			_ = w.fs.Add(filepath.Dir(p))
		}
	}
	return digestOf(files...)
}

// maxLinks bounds the links that are followed, as the kernel does.
const maxLinks = 40

// steps are the paths on the way to a file whose change can make it another
// one: every link in it, and where it finally lies.
func steps(file string) []string {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil
	}
	var out []string
	done, rest := string(filepath.Separator), strings.TrimPrefix(path, string(filepath.Separator))
	if v := filepath.VolumeName(path); v != "" {
		return []string{path} // links are rare there, and drives have no root to start from
	}
	for links := 0; rest != "" && links < maxLinks; {
		var part string
		part, rest, _ = strings.Cut(rest, string(filepath.Separator))
		at := filepath.Join(done, part)
		to, err := os.Readlink(at)
		if err != nil {
			done = at
			continue
		}
		links++
		out = append(out, at)
		if filepath.IsAbs(to) {
			done = string(filepath.Separator)
		}
		rest = strings.TrimPrefix(filepath.Join(to, rest), string(filepath.Separator))
	}
	return append(out, done)
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
