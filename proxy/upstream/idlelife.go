package upstream

import "time"

const (
	// firstWindow is for how long a used connection is used again while
	// nothing is known of the server.
	firstWindow = 5 * time.Second
	// leastWindow keeps a busy server that once closed a connection at once
	// from being dialled for every request.
	leastWindow = 250 * time.Millisecond
	// lifeMemory is how long an observation counts at least; it is forgotten
	// before twice as long.
	lifeMemory = 10 * time.Minute
)

// idleLife learns how long a server leaves connections open that nothing
// happens on. A connection that is used again shortly before the server closes
// it loses the request: whether it was processed cannot be told then.
type idleLife struct {
	now, before lifePeriod
	began       time.Time // of now
}

// lifePeriod is what was observed in one period; 0 = nothing.
type lifePeriod struct {
	shortest time.Duration // a connection was closed at this age
	longest  time.Duration // a connection was still alive at this age
}

// closed notes that the server closed a connection that was last seen alive at
// the age of d.
func (l *idleLife) closed(now time.Time, d time.Duration) {
	l.turn(now)
	if d = max(d, 1); l.now.shortest == 0 || d < l.now.shortest {
		l.now.shortest = d
	}
}

// told notes that the server says it closes connections after so many seconds.
func (l *idleLife) told(now time.Time, seconds int) {
	l.closed(now, time.Duration(seconds)*time.Second)
}

// alive notes that a connection of the age d is still open.
func (l *idleLife) alive(now time.Time, d time.Duration) {
	l.turn(now)
	l.now.longest = max(l.now.longest, d)
}

func (l *idleLife) turn(now time.Time) {
	if l.began.IsZero() {
		l.began = now
	}
	if now.Sub(l.began) >= lifeMemory {
		l.before, l.now, l.began = l.now, lifePeriod{}, now
	}
}

// shortest is the shortest life seen lately; 0 = none.
func (l *idleLife) shortest() time.Duration {
	a, b := l.now.shortest, l.before.shortest
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// window is how long an idle connection is trusted: half the shortest life
// seen, or half the longest age a connection was seen to reach if none was
// closed, at least firstWindow then; never more than limit.
func (l *idleLife) window(limit time.Duration) time.Duration {
	w := max(firstWindow, max(l.now.longest, l.before.longest)/2)
	if s := l.shortest(); s > 0 {
		w = max(s/2, leastWindow)
	}
	return min(w, limit)
}
