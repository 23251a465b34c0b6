package ledger

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockFile creates and locks a file. The lock is held until the file is closed or
// the process ends. If another process holds it, the error is errLocked.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err = windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		err = errLocked
	}
	return nil, err
}

// syncDir does nothing: Windows has no such call, and journals renames.
func syncDir(string) error { return nil }
