package endurance

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

var whole = flag.Bool("whole", false, "memory: every burden, with as many callers as the promise says")

// The sidecar's memory as deploy/kubernetes/sidecar/sidecar.yaml has it, and
// what may be left of callers, how long after they went.
const (
	sidecarLimit   = 64 << 20
	sidecarGoLimit = "GOMEMLIMIT=64000000"
	givenBack      = 10 * time.Second
	residue        = 6 << 20
)

// burden is one way in which many callers cost memory.
type burden struct {
	name    string
	callers int
	quick   int // of these in the quick run; 0 = it goes without
	words   []string
	call    func(c net.Conn, n int) (word string)
}

// The words that callers may be told.
const (
	wordWhole = "200 whole"
	wordLate  = "408 client_timeout not_sent"
	wordLimit = "503 limit not_sent"
)

const (
	lateSize  = 900_000
	largeSize = 4 << 20
)

var burdens = []burden{
	{
		name: "answers that end late", callers: 500, quick: 100, words: []string{wordWhole, wordLimit},
		call: func(c net.Conn, n int) string { return ask(c, n, "/late") },
	},
	{
		name: "half heads", callers: 500, quick: 500, words: []string{wordLate},
		call: func(c net.Conn, n int) string {
			fmt.Fprintf(c, "GET http://%s/ HTTP/1.1\r\nHost: x\r\n%s", hostOf(n), strings.Repeat("X-Fill: "+strings.Repeat("f", 990)+"\r\n", 63))
			return answerOf(c)
		},
	},
	{
		name: "half bodies", callers: 500, words: []string{wordLate},
		call: func(c net.Conn, n int) string {
			fmt.Fprintf(c, "POST http://%s/ HTTP/1.1\r\nHost: x\r\nContent-Length: 61440\r\n\r\n%s", hostOf(n), strings.Repeat("b", 60_000))
			return answerOf(c)
		},
	},
	{
		name: "large heads", callers: 500, words: []string{wordWhole, wordLimit},
		call: func(c net.Conn, n int) string {
			fmt.Fprintf(c, "GET http://%s/late HTTP/1.1\r\nHost: x\r\n%s\r\n", hostOf(n), strings.Repeat("X-Fill: "+strings.Repeat("f", 490)+"\r\n", 120))
			return answerOf(c)
		},
	},
	{
		name: "half hellos", callers: 500, words: []string{"no answer"},
		call: func(c net.Conn, _ int) string {
			record, fragment := "\x16\x03\x01\x08\x00", strings.Repeat("h", 0x800)
			fmt.Fprint(c, record, "\x01\x00\x3f\x00\x03\x03", fragment[6:], strings.Repeat(record+fragment, 6))
			return answerOf(c)
		},
	},
	{
		name: "slow readers", callers: 200, words: []string{wordWhole, wordLimit},
		call: func(c net.Conn, n int) string {
			return ask(&dawdler{Conn: c, until: time.Now().Add(8 * time.Second)}, n, []string{"/late", "/large"}[n%2])
		},
	},
}

// ask asks for a path and reads the answer.
func ask(c net.Conn, n int, path string) string {
	fmt.Fprintf(c, "GET http://%s%s HTTP/1.1\r\nHost: x\r\n\r\n", hostOf(n), path)
	return answerOf(c)
}

// dawdler reads next to nothing for a while.
type dawdler struct {
	net.Conn
	until time.Time
}

func (d *dawdler) Read(p []byte) (int, error) {
	if time.Now().Before(d.until) {
		time.Sleep(100 * time.Millisecond)
		p = p[:min(len(p), 1024)]
	}
	return d.Conn.Read(p)
}

// hostOf spreads the callers over several upstreams: each has a pool of its own.
func hostOf(n int) string {
	return []string{"api.smsportal.com", "rest.smsportal.com", "www.mymobileapi.com", "rest.mymobileapi.com"}[n/2%4]
}

// answerOf reads one answer and sums it up.
func answerOf(c net.Conn) string {
	_ = c.SetDeadline(time.Now().Add(3 * time.Minute))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "no answer"
	}
	size, err := io.Copy(io.Discard, response.Body)
	switch {
	case err != nil:
		return fmt.Sprintf("%d cut", response.StatusCode)
	case response.StatusCode == http.StatusOK && (size == lateSize || size == largeSize):
		return wordWhole
	}
	return fmt.Sprintf("%d %s %s", response.StatusCode, response.Header.Get("Tlslift-Error"), response.Header.Get("Tlslift-Delivery"))
}

// TestMemoryIsBoundedInSum: whatever callers ask for, and leave unfinished, the
// sidecar as it is shipped stays alive within the limit that it is shipped with,
// and each caller is told something true.
func TestMemoryIsBoundedInSum(t *testing.T) {
	if harness.RaceEnabled {
		t.Log("NOT HELD: the race detector multiplies memory")
		return
	}
	late, large := fault.Late(lateSize, 1<<10, 4*time.Second), fault.Late(largeSize, 1<<10, 0)
	server, err := fault.New(fault.Options{Heard: func([]byte) {}, Script: func(x *fault.Exchange) fault.Action {
		if strings.HasSuffix(x.Seen.Target, "/large") {
			return large
		}
		return late
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, b := range burdens {
		count := b.quick
		if *whole {
			count = b.callers
		}
		if count > 0 {
			t.Run(b.name, func(t *testing.T) { b.run(t, server, count) })
		}
	}
}

// startSidecar starts what is shipped as the sidecar in its memory limit.
func startSidecar(t *testing.T, server harness.Upstream, group *harness.MemoryGroup) *harness.Process {
	t.Helper()
	text, err := os.ReadFile("../../configs/sidecar.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("127.0.0.1:3128", "127.0.0.1:0", "127.0.0.1:9128", "127.0.0.1:0").Replace(string(text))
	return harness.Start(t, harness.Options{Upstream: server, Config: config, Env: []string{sidecarGoLimit}, Under: group.Under()})
}

func (b *burden) run(t *testing.T, server harness.Upstream, count int) {
	group := harness.NewMemoryGroup(t, sidecarLimit)
	p := startSidecar(t, server, group)
	before := p.Anonymous()
	words, most := b.callAll(t, p, count)
	left := time.Now()
	t.Logf("%v; at most %.1f MiB of memory, %.1f in all", words, mib(most), mib(group.Peak()))
	for word, n := range words {
		if !slices.Contains(b.words, word) {
			t.Errorf("%d callers were told %q", n, word)
		}
	}
	if n := group.Kills(); n > 0 {
		t.Fatalf("%d processes were killed for want of memory", n)
	}
	if most > sidecarLimit {
		t.Errorf("%.1f MiB of memory, limited to %.1f", mib(most), mib(sidecarLimit))
	}
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for p.Anonymous() > before+residue {
		if time.Since(left) > givenBack {
			t.Errorf("%v after the callers left, %.1f MiB are still there; %.1f were before they came", givenBack, mib(p.Anonymous()), mib(before))
			return
		}
		<-ticker.C
	}
	t.Logf("%.1f MiB before, %.1f MiB %.1f s after", mib(before), mib(p.Anonymous()), time.Since(left).Seconds())
	if held := p.Metrics().Sum("tlslift_held_bytes"); held != 0 {
		t.Errorf("%.0f bytes are still held", held)
	}
}

// callAll has all callers call at once, and sums up what they are told and the
// most memory that the process had meanwhile.
func (b *burden) callAll(t *testing.T, p *harness.Process, count int) (words map[string]int, most int64) {
	t.Helper()
	words = map[string]int{}
	var mu sync.Mutex
	var calls sync.WaitGroup
	for n := range count {
		c, err := net.DialTimeout("tcp", p.Addr(), harness.Patience)
		if err != nil {
			t.Fatal(err)
		}
		calls.Go(func() {
			defer c.Close()
			word := b.call(c, n)
			mu.Lock()
			defer mu.Unlock()
			words[word]++
		})
	}
	done := make(chan struct{})
	go func() { calls.Wait(); close(done) }()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return words, most
		case <-ticker.C:
			most = max(most, p.Anonymous())
		}
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
