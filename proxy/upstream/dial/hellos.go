package dial

import (
	"sync"
	"time"
)

// classicFor is how long a host that is believed to understand only the classic
// hello gets that one alone.
const classicFor = 10 * time.Minute

// Hellos remembers how a host took the modern and the classic ClientHello. The
// zero value is ready for use.
type Hellos struct {
	mu      sync.Mutex
	doubted bool      // a modern hello failed, and the classic one after it succeeded
	classic time.Time // until then the host gets the classic hello alone
}

// next says whether the classic hello comes first, and whether a modern hello
// that fails now is the last piece of evidence: modern, classic and modern gave
// no, yes, no. One failure proves nothing: any hello may meet a reset or an
// overload.
func (h *Hellos) next(now time.Time) (classic, doubted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.classic), h.doubted
}

// believe makes the host get the classic hello for classicFor.
func (h *Hellos) believe(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubted, h.classic = false, now.Add(classicFor)
}

// doubt notes whether the last modern hello failed where a classic one did not,
// and ends a belief.
func (h *Hellos) doubt(doubted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubted, h.classic = doubted, time.Time{}
}
