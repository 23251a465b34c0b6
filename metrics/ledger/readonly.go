package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrInUse means that a running tlslift holds the file; ask its admin address
// instead.
var ErrInUse = errors.New("a running tlslift is using it")

// ReadFile reads a ledger's file without changing it. What it tells is as of
// now, by the settings that are in the file; migratedAfter overrides them
// unless it is 0. A file that a running process holds gives ErrInUse.
func ReadFile(path string, now time.Time, migratedAfter time.Duration) (*Ledger, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	} else if info.Size() == 0 {
		return nil, fmt.Errorf("reading %s: it is empty", path)
	}
	if err := sound(path); err != nil {
		if errors.Is(err, errLocked) {
			err = ErrInUse
		}
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	l := New(Options{Clock: func() time.Time { return now }, Track: 1 << 20})
	err := guarded(func() error {
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
		if errors.Is(err, bolterrors.ErrTimeout) {
			return ErrInUse
		}
		if err != nil {
			return fmt.Errorf("opening: %w", err)
		}
		defer func() { _ = db.Close() }()
		return db.View(func(tx *bbolt.Tx) error { return l.loadWithSettings(tx, migratedAfter) })
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return l, nil
}

func (l *Ledger) loadWithSettings(tx *bbolt.Tx, migratedAfter time.Duration) error {
	var s settings
	if meta := tx.Bucket(bucketMeta); meta != nil {
		if data := meta.Get(keySettings); data != nil {
			if err := json.Unmarshal(data, &s); err != nil {
				return fmt.Errorf("decoding settings: %w", err)
			}
		}
	}
	if err := l.load(tx); err != nil {
		return err
	}
	if migratedAfter <= 0 {
		migratedAfter = time.Duration(s.MigratedAfterSeconds) * time.Second
	}
	l.Configure(migratedAfter, s.Clients)
	return nil
}
