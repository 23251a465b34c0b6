package dial

import (
	"sync"
	"time"
)

// classicFor is how long a host that seems to understand only the classic hello gets
// only that.
const classicFor = 10 * time.Minute

// Hellos remembers how a host reacted to the modern and the classic ClientHello. The
// zero value is ready for use.
type Hellos struct {
	mu      sync.Mutex
	doubted bool      // a modern hello failed, and the classic one after it succeeded
	classic time.Time // until then the host gets only the classic hello
}

// next reports whether the classic hello comes first, and whether a modern hello that
// fails now completes the evidence: modern, classic and modern gave no, yes, no. One
// failure proves nothing: any hello may meet a reset or an overload.
func (h *Hellos) next(now time.Time) (classic, doubted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.classic), h.doubted
}

// believe makes the host get only the classic hello for classicFor.
func (h *Hellos) believe(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubted, h.classic = false, now.Add(classicFor)
}

// doubt records whether the last modern hello failed where a classic one did not, and
// ends a belief.
func (h *Hellos) doubt(doubted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doubted, h.classic = doubted, time.Time{}
}
