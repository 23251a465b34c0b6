package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// How often a snapshot is written. If the process is killed, what was recorded
// since the last one is lost.
const (
	writeEvery      = 10 * time.Second
	writeEveryLarge = 60 * time.Second
	largeFile       = 1 << 20 // bytes
)

// How long a write may take before it counts as failed. A disk that does not
// answer, such as a network disk, then holds up neither signals nor shutdown for
// long. The write itself goes on.
const (
	writeWithin = 10 * time.Second
	lastWithin  = 8 * time.Second // for a write that the shutdown or an upgrade waits for; the new process waits 10 s
)

var errNoAnswer = errors.New("the disk does not answer")

// lockWait is how long to wait for a lock that another process holds: long enough
// for a predecessor that is just ending.
const lockWait = time.Second

// errLocked means that another process keeps its ledger in the file.
var errLocked = errors.New("another process is using it")

// regular returns an error if path names something that can never hold a ledger,
// such as a directory. A path with nothing there is fine.
func regular(path string) error {
	switch info, err := os.Stat(path); {
	case err != nil || info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return errors.New("it is a directory")
	default:
		return errors.New("it is not a regular file")
	}
}

// Unusable returns why a ledger cannot be kept in the file at path, judging by
// what is there now. A missing or empty file is usable.
func Unusable(path string, now time.Time) (why []error) {
	if err := regular(path); err != nil {
		return []error{err}
	}
	if _, err := readFile(path, now); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, errEmpty) {
		why = append(why, err)
	}
	lock, err := os.OpenFile(lockPath(linked(path)), os.O_RDWR, 0)
	switch {
	case err == nil:
		lock.Close()
	case !errors.Is(err, os.ErrNotExist):
		why = append(why, err)
	}
	return why
}

// NotRead reports whether an error means that a file could not be read, which
// says nothing about its contents.
func NotRead(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

func lockPath(path string) string { return path + ".lock" }

// linked follows the symbolic links at the end of a path. A rename over the
// result replaces the file, not a link.
func linked(path string) string {
	const most = 40 // the limit on Linux
	for range most {
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(path) + string(filepath.Separator) + to // not cleaned: a folder before .. may be a link
		}
		path = to
	}
	return path
}

// stateFile writes a ledger to its file, in the background.
type stateFile struct {
	path   string
	ledger *Ledger
	log    *zap.Logger
	stop   context.CancelFunc // ends run

	released atomic.Bool // to another process, or closed
	large    atomic.Bool // larger than largeFile when last written

	turn  chan struct{} // full while the file is in use; guards what follows
	lock  *os.File      // nil = not yet locked
	known bool          // the ledger has what was in the file; until then the file is not replaced
}

// openStateFile reads the ledger's file and starts writing it. If another process
// has the file, or the path names something other than a file, it leaves that alone
// and returns nil. The ledger is then kept in memory only. Any other failure, even
// to read, is retried with every write. Links are followed once, now.
func openStateFile(path string, l *Ledger) *stateFile {
	running, stop := context.WithCancel(context.Background())
	k := &stateFile{
		path: linked(path), ledger: l, log: l.logger.With(zap.String("file", path)),
		stop: stop, turn: make(chan struct{}, 1),
	}
	unusable := regular(path)
	var err error
	for deadline := time.Now().Add(lockWait); unusable == nil; time.Sleep(lockWait / 20) {
		if k.lock, err = lockFile(lockPath(k.path)); !errors.Is(err, errLocked) || time.Now().After(deadline) {
			break
		}
	}
	if errors.Is(err, errLocked) {
		unusable = err
	}
	if unusable != nil {
		l.writeFailures.Add(1)
		l.unwritten.Store(&unusable)
		k.log.Error("the state file cannot be used; the ledger is kept in memory only", zap.Error(unusable))
		return nil
	}
	if unread := k.read(); err == nil {
		err = unread
	}
	if err != nil {
		l.writeFailures.Add(1)
		k.failed(err)
	}
	go k.run(running)
	return k
}

// read loads the file into the ledger, once. A file that cannot be read stays as
// it is for the next attempt. A file that was read but is not a ledger of this
// version is set aside.
func (k *stateFile) read() error {
	if k.known {
		return nil
	}
	s, err := readFile(k.path, k.ledger.clock())
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, errEmpty):
	case NotRead(err):
		return fmt.Errorf("it is not replaced, because it cannot be read: %w", err)
	case err != nil && k.lock == nil:
		return err
	case err != nil:
		if err := k.setAside(err); err != nil {
			return err
		}
	default:
		k.adopt(s)
	}
	// Without the lock, another process may still create the file.
	k.known = k.lock != nil || err == nil
	return nil
}

func (k *stateFile) adopt(s *snapshot) {
	k.ledger.adopt(s)
	if s.early {
		k.log.Warn("the clock is behind the state file, so the times in the file are kept; set the clock, or, if the clock was ahead before, remove the file",
			zap.Time("written", s.written), zap.Time("now", k.ledger.clock()))
	}
	if s.unreadable > 0 {
		k.log.Warn("some clients of the state file were not read", zap.Int("unreadable", s.unreadable))
	}
}

// setAside renames a file that cannot be used, so that it can be inspected.
func (k *stateFile) setAside(unusable error) error {
	aside := k.path + ".unusable-" + k.ledger.clock().UTC().Format("20060102T150405Z")
	if err := os.Rename(k.path, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(unusable, err)
	}
	k.ledger.writeFailures.Add(1)
	k.log.Error("the state file cannot be used; it was set aside, and a new one was begun",
		zap.Error(unusable), zap.String("set_aside", aside))
	return nil
}

// run writes at intervals until close.
func (k *stateFile) run(running context.Context) {
	timer := time.NewTimer(writeEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			_ = k.flushOrSay() // flushOrSay logs it
			every := writeEvery
			if k.large.Load() {
				every = writeEveryLarge
			}
			timer.Reset(every)
		case <-running.Done():
			return
		}
	}
}

// inTurn runs do while nothing else uses the file. If that takes too long, it
// returns an error, and a do that has begun goes on without the caller.
func (k *stateFile) inTurn(within time.Duration, do func() error) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case k.turn <- struct{}{}:
	case <-timer.C:
		return errNoAnswer
	}
	done := make(chan error, 1)
	go func() {
		err := do()
		<-k.turn
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errNoAnswer
	}
}

// flushOrSay flushes in the background, and logs any error.
func (k *stateFile) flushOrSay() error {
	err := k.flush(writeWithin)
	if err != nil {
		k.failed(err)
	}
	return err
}

// flush writes a snapshot if anything changed.
func (k *stateFile) flush(within time.Duration) error {
	err := k.inTurn(within, k.write)
	if err != nil {
		k.ledger.writeFailures.Add(1)
		return fmt.Errorf("writing the state file: %w", err)
	}
	return nil
}

// write is the part of flush that runs in turn. If it fails, it is retried.
func (k *stateFile) write() error {
	if k.released.Load() || !k.ledger.changed.Swap(false) && k.ledger.unwritten.Load() == nil {
		return nil
	}
	now := k.ledger.clock()
	if err := k.replace(now); err != nil {
		k.ledger.changed.Store(true)
		return err
	}
	if k.ledger.unwritten.Swap(nil) != nil {
		k.log.Info("the state file is written again")
	}
	k.ledger.lastWrite.Store(now.Unix())
	return nil
}

// failed logs an error, and no further ones until a write succeeds.
func (k *stateFile) failed(err error) {
	if k.ledger.unwritten.Swap(&err) == nil {
		k.log.Error("writing the state file failed; it is tried again", zap.Error(err))
	}
}

// replace writes a snapshot beside the file and renames it over the file.
func (k *stateFile) replace(now time.Time) (err error) {
	if k.lock == nil {
		if k.lock, err = lockFile(lockPath(k.path)); err != nil {
			return err
		}
	}
	if err := k.read(); err != nil {
		return err
	}
	beside := k.path + ".new"
	size, err := k.ledger.writeSnapshot(beside, now)
	if err != nil {
		return err
	}
	k.large.Store(size > largeFile)
	if err := os.Rename(beside, k.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(k.path))
}

// Release writes a snapshot and leaves the file to another process. It fails if
// the disk does not answer. Reclaim takes the file back.
func (l *Ledger) Release() error {
	k := l.file
	if k == nil {
		return nil
	}
	err := k.flush(lastWithin)
	k.released.Store(true)
	if errors.Is(err, errNoAnswer) {
		return err // the unfinished write holds the lock
	}
	return errors.Join(err, k.inTurn(lastWithin, func() error {
		if k.lock != nil {
			k.lock.Close()
			k.lock = nil
		}
		return nil
	}))
}

// Reclaim resumes keeping the ledger in its file, once the other process has
// released it: the next write takes the lock again.
func (l *Ledger) Reclaim() {
	if l.file != nil {
		l.file.released.Store(false)
		l.changed.Store(true)
	}
}

// Close writes a last snapshot and releases the file.
func (l *Ledger) Close() error {
	if l.file != nil {
		l.file.stop()
	}
	return l.Release()
}
