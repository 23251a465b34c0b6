// Package ledger remembers who called, how, and when: for each client first
// and last seen, counts by way in and TLS version, what its hellos offered, and
// a daily history. From that it tells each client's state and verdict
// (design, section 5).
//
// It is bounded in clients, in what is kept of each and in the text of each,
// costs the request path well under a microsecond, and is kept in a file by a
// background writer when one is configured. Only traffic to configured
// upstreams is the ledger's business.
package ledger

import (
	"cmp"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const (
	// OverflowName is the row that counts clients for which there is no room.
	OverflowName = "_overflow"

	defaultTrack         = 10_000
	defaultMigratedAfter = 14 * 24 * time.Hour
	defaultFlush         = 4 * time.Second
	numShards            = 64
)

// Options are what a Ledger is made from. The zero value is usable.
type Options struct {
	Track         int           // rows at most, configured clients apart; 0 = 10,000
	MigratedAfter time.Duration // nothing insecure for this long is migrated; 0 = 14 days
	Clients       []Configured  // the clients that the configuration names

	File       string        // kept here; "" = memory only
	FlushEvery time.Duration // between writes; 0 = 4 s

	Clock  func() time.Time // nil = time.Now
	Logger *zap.Logger      // nil = none
}

// Configured is a client that the configuration names. It has a row from the
// start, which is never evicted.
type Configured struct {
	Name     string    `json:"name"`
	Source   string    `json:"source,omitempty"`  // the identity_source it will have; "" until it is seen
	Migrated time.Time `json:"migrated,omitzero"` // declared migrated from this time on; zero = not declared
	Owner    string    `json:"owner,omitempty"`   // who is to be asked
	Sunset   time.Time `json:"sunset,omitzero"`   // zero = none
	Waiver   time.Time `json:"waiver,omitzero"`   // expiry; zero = none
}

// Ledger is safe for concurrent use.
type Ledger struct {
	track  int
	clock  func() time.Time
	logger *zap.Logger
	seed   maphash.Seed
	policy atomic.Pointer[policy]
	shards [numShards]shard

	// admission serialises what adds or removes rows. It is taken before any
	// shard's lock, never while holding one.
	admission  sync.Mutex
	discovered int
	queue      evictionQueue
	removed    []removedRow // evicted rows that the store still has
	pruned     int32        // day of the last search for forgotten clients

	tracked    atomic.Int64
	overflowed atomic.Uint64

	overflow struct {
		shard
		row row
	}

	keeper *keeper // nil = memory only
}

type shard struct {
	mu   sync.Mutex
	rows map[string]*row
	_    [40]byte // two shards' locks share no cache line
}

// policy is what a reload can change.
type policy struct {
	migratedAfter time.Duration
	clients       map[string]Configured
}

func newPolicy(migratedAfter time.Duration, clients []Configured) *policy {
	if migratedAfter <= 0 {
		migratedAfter = defaultMigratedAfter
	}
	p := &policy{migratedAfter: migratedAfter, clients: make(map[string]Configured, len(clients))}
	for _, c := range clients {
		c.Name = clip(c.Name, maxName)
		p.clients[c.Name] = c
	}
	return p
}

// New builds a Ledger. With Options.File it reads what an earlier process left
// there and starts the background writer; a file that cannot be used is set
// aside with an error in the log, and the ledger runs in memory. Close ends it.
func New(o Options) *Ledger {
	l := &Ledger{
		track:  cmp.Or(max(o.Track, 0), defaultTrack),
		clock:  o.Clock,
		logger: o.Logger,
		seed:   maphash.MakeSeed(),
	}
	if l.clock == nil {
		l.clock = time.Now
	}
	if l.logger == nil {
		l.logger = zap.NewNop()
	}
	for i := range l.shards {
		l.shards[i].rows = make(map[string]*row)
	}
	l.overflow.row = row{name: OverflowName, source: "overflow", configured: true}
	l.policy.Store(newPolicy(o.MigratedAfter, o.Clients)) // reading the file asks who is configured
	if o.File != "" {
		l.keeper = openKeeper(o.File, l)
	}
	l.Configure(o.MigratedAfter, o.Clients)
	if l.keeper != nil {
		l.keeper.start(cmp.Or(o.FlushEvery, defaultFlush))
	}
	return l
}

// Configure replaces what the configuration says of clients, at the start and
// on reload. A client that is no longer named is a discovered one from now on.
func (l *Ledger) Configure(migratedAfter time.Duration, clients []Configured) {
	p := newPolicy(migratedAfter, clients)
	l.policy.Store(p)

	l.admission.Lock()
	defer l.admission.Unlock()
	for i := range l.shards {
		l.reclassify(&l.shards[i], p)
	}
	for name, c := range p.clients {
		s := l.shard(name)
		s.mu.Lock()
		if s.rows[name] == nil {
			s.rows[name] = &row{name: name, source: c.Source, configured: true}
			l.tracked.Add(1)
		}
		s.mu.Unlock()
	}
}

// SetTrack changes how many discovered rows there may be; 0 is the default.
// Rows beyond a lowered limit go as others would have come.
func (l *Ledger) SetTrack(n int) {
	l.admission.Lock()
	defer l.admission.Unlock()
	l.track = cmp.Or(max(n, 0), defaultTrack)
}

// reclassify makes the rows of a shard configured or discovered.
func (l *Ledger) reclassify(s *shard, p *policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.rows {
		_, configured := p.clients[name]
		if configured == r.configured {
			continue
		}
		r.configured = configured
		switch {
		case configured:
			l.discovered--
		case r.first == 0:
			delete(s.rows, name) // never seen, no longer named: nothing to keep
			l.tracked.Add(-1)
		default:
			l.discovered++
			l.queue.add(r)
		}
	}
}

// row finds or makes the row of a client and returns it with its shard locked.
// When there is no room for it, that is the overflow row.
func (l *Ledger) row(c Client, now int64) (*row, *shard) {
	name := c.Name
	if len(name) > maxName {
		name = name[:maxName]
	}
	s := l.shard(name)
	s.mu.Lock()
	if r := s.rows[name]; r != nil {
		return r, s
	}
	s.mu.Unlock()
	return l.admit(s, name, c, now)
}

// admit makes a row for a client that has none.
func (l *Ledger) admit(s *shard, name string, c Client, now int64) (*row, *shard) {
	l.admission.Lock()
	defer l.admission.Unlock()
	s.mu.Lock()
	if r := s.rows[name]; r != nil { // somebody else was faster
		return r, s
	}
	s.mu.Unlock()
	if name == OverflowName || !c.Configured && l.discovered >= l.track && !l.makeRoom(now) {
		l.overflowed.Add(1)
		l.overflow.mu.Lock()
		return &l.overflow.row, &l.overflow.shard
	}
	r := &row{name: clip(name, maxName), source: c.Source, configured: c.Configured, last: now}
	if !c.Configured {
		l.discovered++
		l.queue.add(r)
	}
	l.tracked.Add(1)
	s.mu.Lock()
	s.rows[r.name] = r
	return r, s
}

func (l *Ledger) shard(name string) *shard {
	return &l.shards[maphash.String(l.seed, name)%numShards]
}

// Stats are the ledger's own figures.
type Stats struct {
	Tracked    int    // rows now
	Limit      int    // discovered rows at most
	Overflowed uint64 // observations of clients for which there was no room
}

// Stats returns the figures of tlslift_tracked_clients and its neighbours.
func (l *Ledger) Stats() Stats {
	l.admission.Lock()
	defer l.admission.Unlock()
	return Stats{Tracked: int(l.tracked.Load()), Limit: l.track, Overflowed: l.overflowed.Load()}
}

// Flush writes what changed since the last write. It does nothing without a
// file.
func (l *Ledger) Flush() error {
	if l.keeper == nil {
		return nil
	}
	return l.keeper.flush(l)
}

// Close writes what is left and closes the file.
func (l *Ledger) Close() error {
	if l.keeper == nil {
		return nil
	}
	return l.keeper.close()
}
