//go:build unix

package nonblock

import (
	"errors"
	"sync"
	"syscall"
)

// transfer is a read or a write in progress. It holds the functions that
// syscall.RawConn calls, which would otherwise be allocated for each call, with
// their results.
type transfer struct {
	p   []byte
	n   int // bytes moved
	err error

	take                  func(fd uintptr)
	takeOrWait, putOrWait func(fd uintptr) bool // false means wait
}

var transfers = sync.Pool{New: func() any {
	t := new(transfer)
	t.take, t.takeOrWait, t.putOrWait = t.read, t.readOrWait, t.writeOrWait
	return t
}}

// begin returns a transfer of p. The caller must call its end method.
func begin(p []byte) *transfer {
	t := transfers.Get().(*transfer)
	t.p = p
	return t
}

// end returns the results, and returns t to the pool.
func (t *transfer) end() (n int, err error) {
	n, err = t.n, t.err
	t.p, t.n, t.err = nil, 0, nil
	transfers.Put(t)
	return n, err
}

func (t *transfer) read(fd uintptr) { t.n, t.err = Read(fd, t.p) }

func (t *transfer) readOrWait(fd uintptr) bool {
	t.read(fd)
	return !errors.Is(t.err, syscall.EAGAIN)
}

func (t *transfer) writeOrWait(fd uintptr) bool {
	for t.n < len(t.p) {
		n, err := Write(fd, t.p[t.n:])
		if errors.Is(err, syscall.EAGAIN) {
			return false
		}
		if err != nil {
			t.err = err
			return true
		}
		t.n += n
	}
	return true
}
