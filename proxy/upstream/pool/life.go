package pool

import "time"

const (
	// firstWindow is how long a used connection is trusted while nothing is known
	// about the server.
	firstWindow = 5 * time.Second
	// lifeMemory is how long the shortest life counts; then the next one seen
	// replaces it.
	lifeMemory = 10 * time.Minute
)

// life is how long a server leaves idle connections open, as far as is known. If it
// closes them before they were first seen alive, each connection serves one call,
// until one of them is seen alive.
type life struct {
	shortest time.Duration // 0 = unknown
	at       time.Time     // when it was seen
}

// seen records that a connection lived for d.
func (l *life) seen(now time.Time, d time.Duration) {
	if l.shortest == 0 || d <= l.shortest || now.Sub(l.at) >= lifeMemory {
		l.shortest, l.at = max(d, 1), now
	}
}

// alive records that a connection is open after being idle for d.
func (l *life) alive(d time.Duration) {
	if l.shortest < maintenanceTick && d >= maintenanceTick {
		l.shortest = 0
	}
}

// window returns how long an idle connection is trusted, at most limit; 0 = not at
// all.
func (l *life) window(now time.Time, limit time.Duration) time.Duration {
	window := l.shortest / 2
	if l.shortest == 0 || window == 0 && now.Sub(l.at) >= lifeMemory {
		window = firstWindow
	}
	return min(window, limit)
}
