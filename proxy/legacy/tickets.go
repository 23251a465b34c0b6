package legacy

import (
	"crypto/rand"
	"sync"
	"time"
)

const (
	// ticketRotation is how long a key makes new tickets.
	ticketRotation = 12 * time.Hour
	// ticketKeys is how many are kept to read old ones: a ticket is good for
	// 24 to 36 hours.
	ticketKeys = 3
)

// Tickets are the session ticket keys (RFC 5077) of a process: shared by all
// connections, so that sessions resume, and replaced in time, so that a stolen
// key opens little. The keys are in memory alone.
type Tickets struct {
	now  func() time.Time
	mu   sync.Mutex
	all  [][32]byte
	next time.Time // when the first key stops making tickets
}

// NewTickets makes keys; now is the clock, time.Now when nil.
func NewTickets(now func() time.Time) *Tickets {
	if now == nil {
		now = time.Now
	}
	return &Tickets{now: now}
}

// keys are those in force, the one for new tickets first.
func (t *Tickets) keys() [][32]byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if missed := int(now.Sub(t.next) / ticketRotation); len(t.all) == 0 || missed >= ticketKeys {
		t.all, t.next = [][32]byte{newTicketKey()}, now.Add(ticketRotation)
	}
	for !now.Before(t.next) {
		old := t.all[:min(len(t.all), ticketKeys-1)]
		t.all = append([][32]byte{newTicketKey()}, old...)
		t.next = t.next.Add(ticketRotation)
	}
	return t.all
}

func newTicketKey() (key [32]byte) {
	rand.Read(key[:]) // never fails: the process ends first
	return key
}
