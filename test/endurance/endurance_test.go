// Package endurance runs callers of every kind, for as many calls as are asked
// for, against an upstream that misbehaves in every way it knows, through
// reloads and inspections, and holds each single call to what was promised of
// it: once at most, a complete answer, the right word when something failed,
// one true log line, nobody else's answer, nothing secret, nothing left behind.
package endurance

import (
	"crypto/x509"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/fault"
	"tlslift/test/harness"
)

var (
	calls   = flag.Int("calls", 1500, "how many calls are made")
	seed    = flag.Uint64("seed", 1, "where the callers' choices begin")
	workers = flag.Int("workers", 24, "how many callers there are at a time")
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(harness.Main(m))
}

// books is what all who see a call note of it.
type books struct {
	mu      sync.Mutex
	calls   map[string]*call
	strange []string // what nobody can have asked for
	lines   int      // of requests
}

func (b *books) open(k *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[k.id] = k
}

// heard is the upstream's note.
func (b *books) heard(head []byte) {
	id, err := idOf(head)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch k := b.calls[id]; {
	case err != nil:
		b.strange = append(b.strange, err.Error())
	case k == nil:
		b.strange = append(b.strange, fmt.Sprintf("the upstream received %q, which nobody sent", id))
	default:
		k.heard++
	}
}

// logged notes a line of the log; those of requests need not be kept.
func (b *books) logged(raw string, fields harness.Line) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	lower := strings.ToLower(raw)
	for _, secret := range planted {
		if strings.Contains(lower, secret) {
			b.strange = append(b.strange, "a log line holds a planted secret: "+raw)
		}
	}
	if fields.String("msg") != "request" {
		return fields.String("msg") != "tunnel" && fields.String("level") != "debug"
	}
	b.lines++
	parts := strings.Split(fields.String("path"), "/")
	if k := b.calls[parts[len(parts)-1]]; k != nil {
		k.lines = append(k.lines, logged{fields.String("status"), fields.String("error"), fields.String("delivery")})
	}
	return false
}

// settings are what the reloads go to and fro between.
var settings = []string{
	`
listen: [{address: "127.0.0.1:0"}]
upstream: {response_timeout: 1s, tls_timeout: 1s, dial_timeout: 3s, warm_connections: 2, max_connections: 64}
limits: {body_timeout: 2s, header_timeout: 5s, tunnel_idle_timeout: 2s}
admin: {pprof: true}
log: {level: info}
`, `
listen: [{address: "127.0.0.1:0", client: everyone}, {address: "127.0.0.1:0", client: nobody}]
upstream: {response_timeout: 1s, tls_timeout: 1s, dial_timeout: 3s, warm_connections: 0, max_connections: 16, idle_timeout: 2s}
limits: {body_timeout: 2s, header_timeout: 5s, tunnel_idle_timeout: 2s, connections: 2048}
admin: {pprof: true}
log: {level: debug}
`,
}

// stage is the proxy between the callers and the upstream.
type stage struct {
	*harness.Process
	books  *books
	ours   *x509.CertPool
	theirs *x509.CertPool
}

func setStage(t *testing.T) *stage {
	b := &books{calls: map[string]*call{}}
	server, err := fault.New(fault.Options{Script: script, Greet: greet, Heard: b.heard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"smsportal.com", "mymobileapi.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.ReadFile(files.Root)
	if err != nil {
		t.Fatal(err)
	}
	ours := x509.NewCertPool()
	ours.AppendCertsFromPEM(root)
	return &stage{
		Process: harness.Start(t, harness.Options{
			Upstream: server, Config: settings[0], Watch: b.logged,
			Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key},
		}),
		books: b, ours: ours, theirs: server.CA().Pool(),
	}
}

// TestEndurance: see the package's comment. go test ./test/endurance -args
// -calls 100000 -seed 7 makes it long.
func TestEndurance(t *testing.T) {
	s := setStage(t)
	before := s.Metrics()
	done := make(chan struct{}, *calls)
	queue := make(chan *call)
	var running sync.WaitGroup
	for i := range *workers {
		running.Go(func() {
			c := &caller{address: s.Addr(), ours: s.ours, theirs: s.theirs, random: rand.New(rand.NewPCG(*seed, uint64(i+1)))}
			defer c.leave()
			for k := range queue {
				c.run(k)
				done <- struct{}{}
			}
		})
	}
	go func() {
		defer close(queue)
		r := rand.New(rand.NewPCG(*seed, 0))
		for i := range *calls {
			k := choose(r, i)
			s.books.open(k)
			queue <- k
		}
	}()
	every := max(*calls/60, 25)
	for i := range *calls {
		<-done
		if i%every == every-1 {
			s.disturb(t, i/every)
		}
		if i%20_000 == 19_999 {
			t.Logf("%d calls", i+1)
		}
	}
	running.Wait()
	s.settle(t, before)
	s.drain(t)
	s.judge(t)
}

// choose makes up a call.
func choose(r *rand.Rand, n int) *call {
	k := &call{id: fmt.Sprintf("c%d", n), post: r.IntN(3) == 0}
	k.fate = pick(r, fates, func(f *fate) int { return f.weight })
	k.way = pick(r, ways, func(w *way) int { return w.weight })
	if k.fate.upload {
		k.post = true
	}
	if r.IntN(8) == 0 {
		k.manner = manner(1 + r.IntN(int(manners)-1))
	}
	if k.manner == unfinished {
		k.post = true
	}
	return k
}

// disturb does what operators do meanwhile.
func (s *stage) disturb(t *testing.T, n int) {
	switch n % 8 {
	case 0:
		mark := s.Mark()
		s.Reconfigure(settings[1])
		s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
	case 1:
		harness.WriteFile(t, s.Config, "limits: {header_bytes: none}\n")
		s.Signal(syscall.SIGHUP)
	case 2:
		s.Reconfigure(settings[0])
		s.Signal(syscall.SIGHUP)
	case 3:
		for _, path := range []string{"/", "/api/v1/clients", "/api/v1/summary", "/metrics"} {
			_, body := s.Get(path)
			planted.Search(t, path, body)
		}
	case 4:
		_, _ = s.Get("/debug/pprof/heap?gc=1")
	case 5: // the log's reader pauses, for less than costs a line
		s.HoldLog()
		s.Metrics()
		s.ReleaseLog()
	case 6:
		s.crowd(t)
	default:
		s.Metrics()
	}
}

// crowd is more idle connections than the admin side takes, beside which a probe
// is answered.
func (s *stage) crowd(t *testing.T) {
	t.Helper()
	for range 520 {
		c := harness.Dial(t, s.AdminAddr()).Send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		defer c.Close()
	}
	if status, _ := s.Get("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz beside a crowd: %d", status)
	}
}

// settle waits until nothing of the callers is left.
func (s *stage) settle(t *testing.T, before harness.Families) {
	t.Helper()
	s.Reconfigure(settings[1]) // no warm connections, idle ones end soon
	deadline := time.Now().Add(harness.Patience)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		m := s.Metrics()
		left := map[string]float64{
			"open connections of callers":  m.Sum("tlslift_open_connections"),
			"busy upstream connections":    m.Sum("tlslift_upstream_pool_connections", "state", "busy"),
			"idle upstream connections":    m.Sum("tlslift_upstream_pool_connections", "state", "idle"),
			"goroutines more than before":  max(0, m.Sum("go_goroutines")-before.Sum("go_goroutines")-8),
			"descriptors more than before": max(0, m.Sum("process_open_fds")-before.Sum("process_open_fds")-8),
		}
		total := 0.0
		for _, n := range left {
			total += n
		}
		if total == 0 {
			t.Logf("after %d calls: %.1f MiB resident, %.1f MiB of heap live, %v goroutines, %v descriptors", *calls,
				m.Sum("process_resident_memory_bytes")/(1<<20), m.Sum("go_memstats_heap_alloc_bytes")/(1<<20), m.Sum("go_goroutines"), m.Sum("process_open_fds"))
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left behind: %v", left)
			return
		}
		<-ticker.C
	}
}

// drain ends the proxy while calls are in flight.
func (s *stage) drain(t *testing.T) {
	t.Helper()
	slow := fateNamed("late")
	var running sync.WaitGroup
	for i := range 2 * *workers {
		k := &call{id: fmt.Sprintf("d%d", i), fate: slow, way: &ways[i%len(ways)]}
		s.books.open(k)
		c := &caller{address: s.Addr(), ours: s.ours, theirs: s.theirs, random: rand.New(rand.NewPCG(*seed, uint64(i)))}
		if err := c.arrive(k.way); err != nil {
			k.refused, k.err = true, err
			continue
		}
		running.Go(func() {
			defer c.leave()
			c.run(k)
		})
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	running.Wait()
	planted.Search(t, "the log", s.Output())
}
