package ledger

import (
	"slices"
	"strings"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

const (
	historyDays = 400 // kept of each client
	maxHosts    = 8   // kept of each client; further ones are not told apart
	maxName     = 128 // bytes of a client's name
	maxText     = 96  // bytes of any other text
)

// row is one client. Its shard's lock guards it. Times are Unix seconds, 0 is
// never.
type row struct {
	name, source string
	configured   bool

	first, last              int64
	lastInsecure, lastSecure int64
	lastLifted               int64 // last request that only tlslift made possible
	evidence                 evidence

	offered call.Version // the highest ever
	library string          // guessed from the newest hello that offers TLS 1.2
	old     string          // guessed from the newest hello that does not
	ja4     string          // of the newest hello
	family  Family          // of the newest request

	tallies tallies
	exposed [len(redact.AllKinds)]exposed
	hosts   []hostCount
	days    []day // ascending

	// Bookkeeping of the store and of eviction.
	dirty     bool
	dirtyFrom int32 // earliest day changed since the last write
	stored    bool  // the store has it
	queued    bool  // in the eviction queue
	gone      bool  // evicted
}

type exposed struct {
	count uint64
	last  int64
}

type hostCount struct {
	name  string
	count uint64
	last  int64
}

// day counts what was seen on one day (UTC, days since the Unix epoch).
type day struct {
	number int32
	DayCounts
}

// DayCounts are the counts of one day.
type DayCounts struct {
	InsecureRequests    uint32 `json:"insecure_requests"`
	SecureRequests      uint32 `json:"secure_requests"`
	InsecureConnections uint32 `json:"insecure_connections"`
	SecureConnections   uint32 `json:"secure_connections"`
}

func (c DayCounts) insecure() bool { return c.InsecureRequests|c.InsecureConnections != 0 }

func (c DayCounts) active() bool { return c.insecure() || c.SecureRequests|c.SecureConnections != 0 }

// seen notes that the client was here.
func (r *row) seen(now int64, source string) {
	if r.first == 0 {
		r.first = now
	}
	r.last = max(r.last, now)
	r.source = source
	if !r.dirty {
		r.dirty, r.dirtyFrom = true, dayOf(now)
	}
}

// today is the entry of the day now is in. Days come in order, so it is
// nearly always the last; a clock set back is found all the same.
func (r *row) today(now int64) *DayCounts {
	number := dayOf(now)
	r.dirtyFrom = min(r.dirtyFrom, number)
	if n := len(r.days); n > 0 && r.days[n-1].number == number {
		return &r.days[n-1].DayCounts
	}
	r.days = expire(r.days, number)
	i, found := slices.BinarySearchFunc(r.days, number, func(d day, n int32) int { return int(d.number - n) })
	if !found {
		r.days = slices.Insert(r.days, i, day{number: number})
	}
	return &r.days[i].DayCounts
}

// expire drops the days that are too old on a given day.
func expire(days []day, today int32) []day {
	n := 0
	for n < len(days) && days[n].number <= today-historyDays {
		n++
	}
	return slices.Delete(days, 0, n)
}

// guess keeps what a hello said of its library.
func (r *row) guess(o *HelloObs) {
	library := &r.library
	if o.Offered.Insecure() {
		library = &r.old
	}
	if o.Library != "" && o.Library != *library {
		*library = clip(o.Library, maxText)
	}
	if o.JA4 != r.ja4 {
		r.ja4 = clip(o.JA4, maxText)
	}
}

func (r *row) host(name string, now int64) {
	if name == "" {
		return
	}
	for i := range r.hosts {
		if r.hosts[i].name == name {
			r.hosts[i].count++
			r.hosts[i].last = now
			return
		}
	}
	if len(r.hosts) < maxHosts {
		r.hosts = append(r.hosts, hostCount{name: clip(name, maxText), count: 1, last: now})
	}
}

func (r *row) expose(kinds redact.Kinds, now int64) {
	for i, kind := range redact.AllKinds {
		if kinds.Has(kind) {
			r.exposed[i].count++
			r.exposed[i].last = now
		}
	}
}

// evictable reports whether a newer client may take the row's place: only a
// discovered one that has never been insecure.
func (r *row) evictable() bool { return !r.configured && r.lastInsecure == 0 }

// clip copies at most n bytes of s, so that a row pins no larger text.
func clip(s string, n int) string { return strings.Clone(s[:min(len(s), n)]) }
