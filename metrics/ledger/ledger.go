// Package ledger is the registry of clients. It records who called, how, and
// when: when each client was first and last seen, counts by way in and TLS
// version, what its hellos offered, and a daily history. From these it derives
// each client's state and verdict (design, section 5). On each scrape it renders
// the client series of docs/metrics.md.
//
// It bounds the number of clients, what it keeps of each, and the length of each
// text. Record takes well under a microsecond. If a file is configured, a
// background writer keeps a snapshot of the ledger in it.
package ledger

import (
	"cmp"
	"container/list"
	"crypto/rand"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tlslift/proxy/call"

	"go.uber.org/zap"
)

const (
	defaultTrack         = 10_000
	defaultMigratedAfter = 14 * 24 * time.Hour
	maxUpstreams         = 250 // labels of upstreams, including those that a reload removed
)

// Options configure a Ledger. The zero value is usable.
type Options struct {
	File   string           // where the snapshot is kept; "" = memory only
	Clock  func() time.Time // nil = time.Now
	Logger *zap.Logger      // nil = none
}

// Settings are what the configuration says about clients.
type Settings struct {
	Target        time.Time     // all clients should be migrated before this time; zero = no such date
	MigratedAfter time.Duration // a client is migrated after this long without an insecure call; 0 = 14 days
	Clients       []Configured  // the clients that the configuration names
	Workload      string        // the one of Clients that all traffic of this instance belongs to; "" = not a sidecar
	Upstreams     []string      // hosts and patterns: the values of the label "upstream"
	Track         int           // maximum of discovered clients with a row; 0 = 10,000
	LabelLimit    int           // maximum of discovered clients with a metric label; 0 = none
}

// Configured is a client that the configuration names. It always has a row and
// a label.
type Configured struct {
	Name     string
	Migrated time.Time // declared migrated from this time on; zero = not declared
	Unnamed  bool      // no caller can get this name: the declaration may misspell it
}

// Ledger is the registry. It is safe for concurrent use.
type Ledger struct {
	clock  func() time.Time
	logger *zap.Logger
	descs  descs
	file   *stateFile // nil = memory only

	instance string // a random word that identifies this process

	changed       atomic.Bool           // since the last snapshot
	lastWrite     atomic.Int64          // Unix seconds of the last snapshot, 0 = never
	writeFailures atomic.Uint64         // snapshots that could not be written, and files set aside
	unwritten     atomic.Pointer[error] // why the ledger is not in its file, already logged; nil = it is, or there is none

	mu        sync.Mutex // guards what follows, and every row
	policy    *policy
	upstreams []string // values of the label; series refer to them by index
	rows      map[string]*row

	queues     [numClasses]list.List // rows of discovered clients, longest unseen first
	overflowed uint64                // observations of clients without a row
	unchecked  map[string]int        // rows with an unchecked name, by their address
	labels     labelTable            // which rows have series
	overflow   row
}

// policy is Settings with the defaults filled in. It is replaced, never changed.
type policy struct {
	Settings
	clients map[string]Configured
}

func newPolicy(s Settings) *policy {
	s.MigratedAfter = cmp.Or(max(s.MigratedAfter, 0), defaultMigratedAfter)
	s.Track = cmp.Or(max(s.Track, 0), defaultTrack)
	p := &policy{s, make(map[string]Configured, len(s.Clients))}
	for _, c := range s.Clients {
		if name := cleanName(c.Name); name != "" && name != call.LabelOverflow {
			p.clients[name] = c
		}
	}
	return p
}

// New returns a Ledger. With Options.File it reads what an earlier process left
// there and starts the background writer. A file that is damaged or not a ledger
// is set aside, and an error is logged. Close ends the ledger.
func New(o Options) *Ledger {
	l := &Ledger{
		clock: o.Clock, logger: o.Logger, descs: newDescs(), instance: rand.Text(),
		policy: newPolicy(Settings{}), upstreams: []string{call.LabelOther, call.LabelDenied},
		rows: make(map[string]*row), unchecked: make(map[string]int),
		labels:   labelTable{rows: make(map[*row]struct{})},
		overflow: row{name: call.LabelOverflow, source: "overflow", series: new(series)},
	}
	if l.clock == nil {
		l.clock = time.Now
	}
	if l.logger == nil {
		l.logger = zap.NewNop()
	}
	l.Open(o.File)
	return l
}

// Open reads what an earlier process left in the file and keeps the ledger there
// from now on, as New does with Options.File. Call it once, before Configure and
// Record. If file is "", it does nothing.
func (l *Ledger) Open(file string) {
	if file != "" {
		l.file = openStateFile(file, l)
	}
}

// Configure replaces the settings, at startup and on reload. A client that is no
// longer named becomes a discovered one, and rows beyond a lowered limit are
// evicted. Labels and upstreams stay, because their series must not vanish under
// in-flight requests.
func (l *Ledger) Configure(s Settings) {
	p := newPolicy(s)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policy = p
	l.changed.Store(true)
	for _, label := range s.Upstreams {
		if label = cleanName(label); !slices.Contains(l.upstreams, label) && len(l.upstreams) < maxUpstreams {
			l.upstreams = append(l.upstreams, label)
		}
	}
	for name := range p.clients {
		if l.rows[name] == nil {
			l.newRow(name)
		}
	}
	now := l.clock().Unix()
	clear(l.unchecked)
	for name, r := range l.rows {
		if _, configured := p.clients[name]; configured != r.configured {
			r.configured = configured
			l.queue(r)
		}
		if !r.known() && r.series == nil { // the file knows it from refused calls alone
			delete(l.rows, name)
			continue
		}
		if r.configured {
			l.giveLabel(r, now)
			r.series.begin(r.name == cleanName(p.Workload))
		}
		l.count(r, 1)
	}
	l.shrink(p.Track, now)
}

// Stats are the ledger's own figures.
type Stats struct {
	Tracked    int    // discovered clients with a row
	Limit      int    // the maximum of Tracked
	Overflowed uint64 // observations of clients without a row
	Unwritten  error  // why the ledger is not in its file; nil = it is, or there is none
}

// Stats returns the current figures.
func (l *Ledger) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	stats := Stats{Tracked: l.tracked(), Limit: l.policy.Track, Overflowed: l.overflowed}
	if err := l.unwritten.Load(); err != nil {
		stats.Unwritten = *err
	}
	return stats
}

// eachBatch is how many rows are copied under the lock at a time. It bounds how
// long Record waits.
const eachBatch = 32

// all returns the current rows, the overflow row last. Their names never change;
// the lock guards everything else in them.
func (l *Ledger) all() []*row {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := slices.AppendSeq(make([]*row, 0, len(l.rows)+1), maps.Values(l.rows))
	return append(rows, &l.overflow)
}

// copies yields a copy of each of the rows that still exists and is known: its
// client was seen or is configured, or the overflow row was used. It does not hold
// the lock meanwhile.
func (l *Ledger) copies(rows []*row) iter.Seq[*row] {
	return func(yield func(*row) bool) {
		batch := make([]row, 0, eachBatch)
		for some := range slices.Chunk(rows, eachBatch) {
			batch = batch[:0]
			l.mu.Lock()
			for _, r := range some {
				if r.known() && (l.rows[r.name] == r || r == &l.overflow) {
					batch = append(batch, r.copy())
				}
			}
			l.mu.Unlock()
			for i := range batch {
				if !yield(&batch[i]) {
					return
				}
			}
		}
	}
}
