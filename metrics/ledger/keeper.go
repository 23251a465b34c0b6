package ledger

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"
)

// lockWait is how long a file that another process has is waited for: long
// enough for a predecessor that is just closing it.
const lockWait = time.Second

// errLocked means that another process uses the file. It is left alone.
var errLocked = errors.New("another process is using it")

// keeper writes a ledger to its file, in the background.
type keeper struct {
	db     *bbolt.DB
	ledger *Ledger
	stop   chan struct{}
	done   chan struct{}

	mu      sync.Mutex // one write at a time
	closed  bool
	failing bool    // the last write failed, and that was logged
	written *policy // the one in the file
	pruned  int32   // day of the last pruning
}

// openKeeper opens the ledger's file and reads it. A file that cannot be used
// is set aside, so that it can be looked at, and an empty one takes its place;
// when that fails too, or another process has it, the ledger runs in memory.
func openKeeper(path string, l *Ledger) *keeper {
	log := l.logger.With(zap.String("file", path))
	db, err := l.open(path)
	switch {
	case errors.Is(err, errLocked), errors.Is(err, os.ErrPermission):
		log.Error("the state file cannot be used; the ledger is kept in memory only", zap.Error(err))
		return nil
	case err != nil:
		aside := path + ".unusable-" + l.clock().UTC().Format("20060102T150405Z")
		log.Error("the state file cannot be used; it is set aside and a new one begun",
			zap.Error(err), zap.String("set_aside", aside))
		if err = os.Rename(path, aside); err == nil {
			db, err = l.open(path)
		}
		if err != nil {
			log.Error("no new state file can be made; the ledger is kept in memory only", zap.Error(err))
			return nil
		}
	}
	return &keeper{db: db, ledger: l, stop: make(chan struct{}), done: make(chan struct{})}
}

// open opens path for writing and reads it into the ledger; after an error the
// ledger is empty and the file closed.
func (l *Ledger) open(path string) (*bbolt.DB, error) {
	if err := sound(path); err != nil {
		return nil, err
	}
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
		if errors.Is(err, bolterrors.ErrTimeout) {
			return errLocked
		}
		if err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		return db.Update(func(tx *bbolt.Tx) error { return l.begin(tx) })
	})
	if err != nil {
		l.empty()
		if db != nil {
			_ = guarded(db.Close)
		}
		return nil, err
	}
	return db, nil
}

// guarded runs f, which reads a file through a memory map. A damaged or
// shortened file shows itself there as a panic or a fault: both become errors.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	return f()
}

// start writes every so often until close.
func (k *keeper) start(every time.Duration) {
	go func() {
		defer close(k.done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = k.flush(k.ledger) // logged there
			case <-k.stop:
				return
			}
		}
	}()
}

// flush writes what changed. A failure is logged once, until a write succeeds;
// what could not be written is tried again.
func (k *keeper) flush(l *Ledger) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	w := writing{ledger: l, now: l.clock()}
	err := guarded(func() error { return k.db.Update(func(tx *bbolt.Tx) error { return k.write(tx, &w) }) })
	switch {
	case err == nil && k.failing:
		l.logger.Info("the state file is written again")
	case err != nil && !k.failing:
		l.logger.Error("writing the state file failed; it is tried again", zap.Error(err))
	}
	k.failing = err != nil
	if err != nil {
		w.undo()
		return fmt.Errorf("writing the state file: %w", err)
	}
	k.written, k.pruned = w.policy, dayOf(w.now.Unix())
	return nil
}

// close writes what is left and closes the file.
func (k *keeper) close() error {
	err := k.flush(k.ledger)
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return nil
	}
	k.closed = true
	k.mu.Unlock()
	close(k.stop)
	<-k.done
	return errors.Join(err, guarded(k.db.Close))
}
