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
	// ticketRotation is how long a key is used for new tickets.
	ticketRotation = 12 * time.Hour
	// ticketKeys is how many keys are kept, so a ticket is valid for 24 to 36
	// hours.
	ticketKeys = 3
)

// TicketKeys holds the secrets that session ticket keys are derived from. A process
// can pass them to its successor. The zero value holds none.
type TicketKeys struct {
	Secrets [][32]byte // the first is for new tickets
	Next    time.Time  // when a new secret replaces it
}

// Tickets makes the session ticket keys (RFC 5077) of a process. All connections
// share them, so sessions resume; they rotate, so a stolen key decrypts little.
// Each CA has its own keys, so a session from one CA does not resume under another.
// The keys are only in memory.
type Tickets struct {
	now  func() time.Time
	mu   sync.Mutex
	keys TicketKeys
}

// NewTickets returns Tickets that continue with keys, which may be the zero value.
// now is the clock; nil means time.Now.
func NewTickets(now func() time.Time, keys TicketKeys) *Tickets {
	if now == nil {
		now = time.Now
	}
	return &Tickets{now: now, keys: keys}
}

// Keys rotates the keys if it is time, and returns them.
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

// under returns the ticket keys of one CA. The first is for new tickets.
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
	rand.Read(secret[:]) // never fails: it crashes the program instead
	return secret
}
