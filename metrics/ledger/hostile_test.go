package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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
	if testing.Short() || !measuresMemory {
		callers = 60_000
	}
	g := newRigIn(Options{File: filepath.Join(t.TempDir(), "ledger.json")}, Settings{LabelLimit: 100, Clients: []Configured{{Name: "billing"}}})
	defer g.Close()
	g.request("old insecure", plain("h"))

	debug.FreeOSMemory()
	before := resident(t)
	for i := range callers {
		hostile(g, i)
		if i%1000 == 0 {
			g.clock.advance(time.Second)
			g.request("billing", plain("h"))
			g.request("old insecure", plain("h"))
		}
		if i%(callers/5) == 0 {
			if err := g.Flush(); err != nil {
				t.Fatal(err)
			}
			g.scrape(t)
		}
	}
	peak := resident(t) - before
	debug.FreeOSMemory() // what the collector has not got round to yet is no growth
	grown := resident(t) - before
	t.Logf("%d callers: resident memory grew by %.1f MiB, %.1f before collection; %+v",
		callers, float64(grown)/(1<<20), float64(peak)/(1<<20), g.Stats())
	if measuresMemory && grown > 64<<20 {
		t.Errorf("resident memory grew by %d MiB, at most 64 are allowed", grown>>20)
	}
	if s := g.Stats(); s.Tracked > s.Limit || s.Overflowed == 0 {
		t.Errorf("the bound does not hold: %+v", s)
	}
	if r := g.row(t, "old insecure"); r.State != Insecure {
		t.Errorf("the insecure client is %s", r.State)
	}
	s := g.scrape(t)
	s.expect(t, float64(callers/1000), requestsTotal, client("billing"))
	s.expect(t, float64(callers/1000+1), requestsTotal, client("old insecure"))
	s.expect(t, 100, clientsNow, `kind="labelled"`)
	s.expect(t, float64((callers+2)/3+callers/1000*2+1), requestsTotal)
	if len(s) > 2500 {
		t.Errorf("%d series", len(s))
	}
}

// hostile is what the i-th caller does.
func hostile(g rig, i int) {
	name := fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
	switch i % 3 {
	case 0:
		o := plain(fmt.Sprintf("h%d.smsportal.com", i))
		o.UserAgent = fmt.Sprintf("Agent/%d", i)
		g.request(name, o)
	case 1:
		v := spliced()
		v.Hello = &call.Offer{Max: call.Version13, JA4: fmt.Sprint("t13d", i)}
		g.sight(name, v)
	case 2:
		g.sight(name, declined(call.Version12, call.HandshakeFailures[i%len(call.HandshakeFailures)]))
	}
}

// TestAFullLedger: ten thousand clients that show everything they can leave the
// process its memory.
func TestAFullLedger(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	agents := [...]string{"Java/1.6", "PHP/5", "Axis/1", "Python-urllib", "curl/8", "Wget", "Ruby", "Go-http-client"}
	before := heap()
	g := newRig(Settings{LabelLimit: 100})
	for i := range defaultTrack {
		for j := range maxMarks + 1 {
			o := plain(fmt.Sprintf("host-number-%d.smsportal.com", j))
			o.Kind, o.End, o.UserAgent = call.Request, g.clock.now(), agents[j%len(agents)]
			o.Offer = &call.Offer{Max: call.Version10, JA4: fmt.Sprintf("t10d110600_9ee8ab185e0%d_000000000000", j), Library: fmt.Sprint("OpenSSL 1.0.", j)}
			o.Client = call.Identity{
				Name: fmt.Sprint("client", i), Source: call.SourceName,
				Address: fmt.Sprintf("10.1%d.%d.%d", j, i>>8, i&255), Account: fmt.Sprintf("account-%d-%d", i, j),
			}
			g.Record(&o)
		}
	}
	grown := heap() - before
	t.Logf("%d bytes of each client", grown/defaultTrack)
	if s := g.Stats(); s.Tracked != defaultTrack {
		t.Errorf("%+v", s)
	}
	if grown > 64<<20 {
		t.Errorf("they take %d MiB, at most 64 are allowed", grown>>20)
	}
}

// resident is the process's resident memory in bytes; it skips the test where
// the system does not show it.
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
