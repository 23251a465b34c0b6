package identity

import (
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	verifiedLimit = 4096             // number of verified credentials remembered
	verifiedFor   = 10 * time.Minute // before a password is checked again
	queueFor      = 5 * time.Second  // longest wait for a bcrypt slot
)

// digest identifies credentials without keeping them: a hash of them and of a key
// that never leaves the process.
type digest [sha256.Size]byte

type verified struct {
	user  string
	until time.Time
}

// authenticator checks proxy credentials. A bcrypt check is slow on purpose. So a
// verified header is remembered for a while, failures are limited per source address,
// and only a few checks run at once. Guessing then costs time, not CPU that other
// callers need.
type authenticator struct {
	users   Users
	decoy   []byte // compared for an unknown user, so both take equally long
	clock   func() time.Time
	key     [32]byte
	slots   chan struct{}
	limiter *failureLimiter

	mu   sync.RWMutex
	seen map[digest]verified
}

func newAuthenticator(users Users, clock func() time.Time) *authenticator {
	if clock == nil {
		clock = time.Now
	}
	d := &authenticator{
		users:   users,
		clock:   clock,
		slots:   make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)),
		limiter: newFailureLimiter(),
		seen:    make(map[digest]verified),
	}
	_, _ = rand.Read(d.key[:]) // never fails: crypto/rand ends the process instead
	for _, hash := range users {
		d.decoy = hash
		break
	}
	return d
}

// authenticate checks a Proxy-Authorization header that came from addr.
func (d *authenticator) authenticate(addr netip.Addr, header string) (user string, err error) {
	if header == "" {
		return "", errNoCredentials
	}
	now := d.clock()
	key := d.digest(header)
	user, ok := d.recall(key, now)
	if ok {
		return user, nil
	}
	user, password, ok := basicCredentials(header)
	switch {
	case !ok:
		return "", errNotBasic
	case !d.limiter.take(addr, now):
		return "", errTooManyFailures
	case !d.acquire():
		return "", errBusy
	}
	defer func() { <-d.slots }()
	// An application opens many connections at once: the first may have been verified
	// while the others waited.
	if _, ok = d.recall(key, now); !ok && !d.check(user, password) {
		return "", errWrongCredentials
	}
	d.limiter.refund(addr)
	d.remember(key, verified{user: user, until: now.Add(verifiedFor)}, now)
	return user, nil
}

// recall finds credentials that were verified recently.
func (d *authenticator) recall(key digest, now time.Time) (user string, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	v, ok := d.seen[key]
	return v.user, ok && now.Before(v.until)
}

// acquire waits for a bcrypt slot. Reading from d.slots releases it.
func (d *authenticator) acquire() bool {
	wait := time.NewTimer(queueFor)
	defer wait.Stop()
	select {
	case d.slots <- struct{}{}:
		return true
	case <-wait.C:
		return false
	}
}

// check runs bcrypt.
func (d *authenticator) check(user, password string) bool {
	hash, known := d.users[user]
	if !known {
		hash = d.decoy
	}
	return bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil && known
}

func (d *authenticator) digest(header string) digest {
	return sha256.Sum256(append(d.key[:], header...))
}

// remember keeps verified credentials. If there is no room, it drops stale ones
// first, then any.
func (d *authenticator) remember(key digest, v verified, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.seen) >= verifiedLimit {
		for k, old := range d.seen {
			if !now.Before(old.until) {
				delete(d.seen, k)
			}
		}
	}
	for k := range d.seen {
		if len(d.seen) < verifiedLimit {
			break
		}
		delete(d.seen, k)
	}
	d.seen[key] = v
}
