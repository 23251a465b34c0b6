package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// A million distinct callers with a User-Agent each must not take memory with
// them, nor the place of a named or an insecure client.
func TestAMillionHostileClients(t *testing.T) {
	callers := 1_000_000
	if testing.Short() {
		callers = 60_000
	}
	clock := newTestClock(epoch)
	l := New(Options{
		Clock: clock.now, Clients: []Configured{{Name: "billing"}},
		File: filepath.Join(t.TempDir(), "ledger.db"), FlushEvery: time.Hour,
	})
	defer l.Close()
	l.Request(addr("old insecure"), plain("h"))

	debug.FreeOSMemory()
	before := resident(t)
	for i := range callers {
		c := Client{Name: fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255), Source: "address"}
		switch i % 3 {
		case 0:
			o := plain(fmt.Sprintf("h%d.smsportal.com", i))
			o.UserAgent = fmt.Sprintf("Agent/%d", i)
			l.Request(c, o)
		case 1:
			l.Hello(c, HelloObs{Ours: true, Offered: call.Version13, JA4: fmt.Sprint("t13d", i)})
			l.Connection(c, spliced())
		case 2:
			l.HandshakeFailure(c, FailureObs{Ours: true, Reason: fmt.Sprint("reason", i), Offered: call.Version12})
		}
		if i%1000 == 0 {
			clock.advance(time.Second)
			l.Request(Client{Name: "billing", Source: "name", Configured: true}, plain("h"))
		}
		if i%(callers/5) == 0 {
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	peak := resident(t) - before
	debug.FreeOSMemory() // what the collector has not got round to yet is no growth
	grown := resident(t) - before
	t.Logf("%d callers: resident memory grew by %.1f MiB, %.1f before collection; %+v",
		callers, float64(grown)/(1<<20), float64(peak)/(1<<20), l.Stats())
	if measuresMemory && grown > 64<<20 {
		t.Errorf("resident memory grew by %d MiB, at most 64 are allowed", grown>>20)
	}
	if s := l.Stats(); s.Tracked > s.Limit+1 || s.Overflowed == 0 {
		t.Errorf("the bound does not hold: %+v", s)
	}
	if r := mustRow(t, l, "old insecure"); r.State != Insecure {
		t.Errorf("the insecure client is %s", r.State)
	}
	if r := mustRow(t, l, "billing"); r.Requests[0].Count != uint64(callers/1000) {
		t.Errorf("the named client has %d requests", r.Requests[0].Count)
	}
}

// resident is the process's resident memory in bytes; 0 where the system does
// not tell.
func resident(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc/self/statm here")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
