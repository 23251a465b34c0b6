package legacy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
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

// TicketKeys are the secrets that session ticket keys are made of: a value that a
// process can hand to its successor. The zero value is none.
type TicketKeys struct {
	Secrets [][32]byte // the one for new tickets first
	Next    time.Time  // when a new one takes its place
}

// Tickets makes the session ticket keys (RFC 5077) of a process: shared by all
// connections, so sessions resume, and replaced in time, so a stolen
// key opens little. Each CA has its own, so a session that was made under one does
// not resume under another. The keys are in memory alone.
type Tickets struct {
	now  func() time.Time
	mu   sync.Mutex
	keys TicketKeys
}

// NewTickets goes on with keys, which may be the zero value; now is the clock,
// time.Now when nil.
func NewTickets(now func() time.Time, keys TicketKeys) *Tickets {
	if now == nil {
		now = time.Now
	}
	return &Tickets{now: now, keys: keys}
}

// Keys are those in force.
func (t *Tickets) Keys() TicketKeys {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, now := &t.keys, t.now()
	if missed := int(now.Sub(k.Next) / ticketRotation); len(k.Secrets) == 0 || missed >= ticketKeys {
		*k = TicketKeys{Secrets: [][32]byte{newSecret()}, Next: now.Add(ticketRotation)}
	}
	for !now.Before(k.Next) {
		old := k.Secrets[:min(len(k.Secrets), ticketKeys-1)]
		*k = TicketKeys{Secrets: slices.Concat([][32]byte{newSecret()}, old), Next: k.Next.Add(ticketRotation)}
	}
	return *k
}

// under are the keys for the tickets of one CA, the one for new tickets first.
func (t *Tickets) under(ca [32]byte) [][32]byte {
	secrets := t.Keys().Secrets
	keys := make([][32]byte, len(secrets))
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, secret[:])
		mac.Write(ca[:])
		mac.Sum(keys[i][:0])
	}
	return keys
}

func newSecret() (secret [32]byte) {
	rand.Read(secret[:]) // never fails: the process ends first
	return secret
}
