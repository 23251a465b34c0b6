package pool

import "time"

const (
	// firstWindow is how long a used connection is trusted while nothing is known
	// of the server.
	firstWindow = 5 * time.Second
	// leastWindow keeps a busy server that once closed a connection at once
	// from being dialled for every request.
	leastWindow = 250 * time.Millisecond
	// lifeMemory is how long the shortest life counts; then the next one seen
	// takes its place.
	lifeMemory = 10 * time.Minute
)

// life is how long a server leaves idle connections open, as far as known.
type life struct {
	shortest time.Duration // 0 = nothing
	at       time.Time     // when it was seen
}

// seen notes that a connection lived for d.
func (l *life) seen(now time.Time, d time.Duration) {
	if l.shortest == 0 || d <= l.shortest || now.Sub(l.at) >= lifeMemory {
		l.shortest, l.at = max(d, 1), now
	}
}

// window is how long an idle connection is trusted, at most limit.
func (l *life) window(limit time.Duration) time.Duration {
	if l.shortest == 0 {
		return min(firstWindow, limit)
	}
	return min(max(l.shortest/2, leastWindow), limit)
}
