package ledger

import (
	"container/list"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

const (
	historyDays = 400 // kept for each client
	maxName     = 128 // bytes of a client's name
	maxText     = 96  // bytes of any other text
)

// row is one client. The ledger's lock guards it. Times are in Unix seconds; 0 is
// never. All but the last group is stored in the file.
//
// A row that is neither configured nor was ever seen (first is 0) belongs to a
// visitor: a client with only foreign or refused traffic. It has a row only as
// long as it has a label.
type row struct {
	name, source string
	configured   bool
	address      string // that an unchecked name was first seen from; "" = the name is not an unchecked one

	first, last              int64
	lastInsecure, lastSecure int64
	lastFailed               int64                         // last failed TLS handshake, as in Times
	lastServed               int64                         // last call that was not refused
	lastRefused              int64                         // last refused call
	lastLifted               int64                         // last request that only tlslift made possible
	lastFallsBack            int64                         // last request that goes out in cleartext without tlslift
	settings                 [len(call.Settings) + 1]int64 // when each last led a call here
	evidence                 Evidence

	offered call.Version // highest ever
	library string       // guessed from the newest hello that offers TLS 1.2
	old     string       // guessed from the newest hello that does not
	framed  string       // guessed from the newest hello in SSLv2 framing, whatever it offers
	ja4     string       // of the newest hello
	family  call.Family  // of the newest request
	marks   []mark       // what was seen behind the name

	totals  tallies
	exposed [2][len(redact.AllKinds)]sight // in cleartext, and over old TLS
	days    []day                          // ascending

	series *series       // what its metrics show; nil = no label
	used   int64         // last traffic of any kind, 0 = none in this process
	place  *list.Element // in Ledger.queues; nil = configured, or not a client's
	class  class         // the queue that place is in
}

// sight is how often something was seen, if that is counted, and when last.
type sight struct {
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

// connections returns the day's count of insecure or secure connections.
func (c *DayCounts) connections(insecure bool) *uint32 {
	if insecure {
		return &c.InsecureConnections
	}
	return &c.SecureConnections
}

func (c DayCounts) insecure() bool { return c.InsecureRequests|c.InsecureConnections != 0 }

func (c DayCounts) secure() bool { return c.SecureRequests|c.SecureConnections != 0 }

func (c DayCounts) active() bool { return c.insecure() || c.secure() }

// known reports whether the row should be shown and kept.
func (r *row) known() bool { return r.configured || r.first != 0 }

// insecureAt reports whether the client was insecure within the last
// migratedAfter.
func (r *row) insecureAt(now int64, migratedAfter time.Duration) bool {
	return r.lastInsecure != 0 && now-r.lastInsecure < int64(migratedAfter/time.Second)
}

// today returns the entry for the day of now. Days come in order, so it is nearly
// always the last one. It also finds the day if the clock was set back.
func (r *row) today(now int64) *DayCounts {
	number := dayOf(now)
	if n := len(r.days); n > 0 && r.days[n-1].number == number {
		return &r.days[n-1].DayCounts
	}
	r.days = expire(r.days, number)
	return r.day(number)
}

// day returns the entry of a day, and inserts one if there is none.
func (r *row) day(number int32) *DayCounts {
	i, found := slices.BinarySearchFunc(r.days, number, func(d day, n int32) int { return int(d.number - n) })
	if !found {
		r.days = slices.Insert(r.days, i, day{number: number})
	}
	return &r.days[i].DayCounts
}

// expire drops the days that are too old as of today.
func expire(days []day, today int32) []day {
	n := 0
	for n < len(days) && days[n].number <= today-historyDays {
		n++
	}
	return slices.Delete(days, 0, n)
}

// times returns the times that the file stores, in the order of record.times.
func (r *row) times() [9]*int64 {
	return [...]*int64{&r.first, &r.last, &r.lastInsecure, &r.lastSecure, &r.lastFailed, &r.lastServed, &r.lastRefused, &r.lastLifted, &r.lastFallsBack}
}

// copy returns a copy of everything that the file or a view shows.
func (r *row) copy() row {
	c := *r
	c.marks, c.days, c.totals = slices.Clone(r.marks), slices.Clone(r.days), slices.Clone(r.totals)
	c.series, c.place = nil, nil
	return c
}

// clip returns a copy of at most n bytes of s as valid UTF-8, so that a row does
// not keep a larger string in memory.
func clip(s string, n int) string { return strings.Clone(strings.ToValidUTF8(s[:min(len(s), n)], "")) }

// cleanName returns a client's name as rows and labels use it: bounded and valid
// UTF-8. A name from package identity is already clean.
func cleanName(name string) string {
	if len(name) <= maxName && utf8.ValidString(name) {
		return name
	}
	return clip(name, maxName)
}
