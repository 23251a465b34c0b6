package report

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// The fleet: two replicas, each with a ledger and metrics of its own, of which
// one is replaced on the way, and one ledger that sees all of their traffic. A
// real Prometheus that scraped the replicas has to give the report that the one
// ledger gives.

const (
	fleetDays    = 60
	fleetClients = 40
	scrapeEvery  = 2 * time.Hour
)

type replica struct {
	instance string
	registry *prometheus.Registry
	ledger   *ledger.Ledger
}

type fleetTest struct {
	t        *testing.T
	at       time.Time
	declared []ledger.Configured
	replicas [2]*replica
	all      *ledger.Ledger
	series   map[string][]string // samples by metric family
	types    map[string]string
}

func (f *fleetTest) clock() time.Time { return f.at }

func (f *fleetTest) start(instance string) *replica {
	f.t.Helper()
	r := &replica{instance: instance, registry: prometheus.NewPedanticRegistry()}
	r.ledger = f.newLedger()
	if err := r.registry.Register(r.ledger); err != nil {
		f.t.Fatal(err)
	}
	return r
}

func (f *fleetTest) newLedger() *ledger.Ledger {
	l := ledger.New(ledger.Options{Clock: f.clock})
	l.Configure(ledger.Settings{Clients: f.declared, Upstreams: []string{"*.smsportal.com"}, LabelLimit: 100})
	return l
}

// act does one thing as one client at one replica, as the proxy would.
func (f *fleetTest) act(r *replica, c call.Identity, kind int) {
	o := call.Outcome{
		Client: c, End: f.at, Ours: true, Upgraded: true, Label: "*.smsportal.com", Ingress: call.Forward,
		Observation: &call.Observation{Ours: true, Ingress: call.Forward},
	}
	switch kind {
	case 0: // plain HTTP
		o.UserAgent = "Java/1.7.0"
	case 1: // TLS 1.0
		o.Ingress, o.Version, o.Handling = call.Connect, call.Version10, call.Terminated
		o.Observation = &call.Observation{
			Ours: true, Ingress: call.Connect, Version: call.Version10, Handling: call.Terminated,
			Hello: &call.Offer{Max: call.Version10, SNI: true, Library: "OpenSSL 0.9.8"},
		}
	case 2: // modern
		o.Kind = call.Observed
		o.Observation = &call.Observation{
			Ours: true, Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced, Hello: &call.Offer{Max: call.Version13, SNI: true},
		}
	case 3: // a handshake and no more
		o.Kind = call.Observed
		o.Observation = &call.Observation{
			Ours: true, Ingress: call.Connect, Version: call.Version13, Handling: call.Spliced, Hello: &call.Offer{Max: call.Version13, SNI: true},
			NoCall: true, Failure: call.HandshakeNoCall, AtUpstream: true,
		}
	}
	if kind == doesLifted {
		o.Ingress, o.Version, o.Handling = call.Connect, call.Version12, call.Terminated
		o.Observation = &call.Observation{
			Ours: true, Ingress: call.Connect, Version: call.Version12, Handling: call.Terminated, Hello: &call.Offer{Max: call.Version12, SNI: true},
		}
	}
	if kind == doesReject {
		o.Kind = call.Observed
		o.Observation = &call.Observation{
			Ours: true, Ingress: call.Connect, Handling: call.Terminated, NoCall: true, Failure: call.HandshakeClientRejectedCA,
			Hello: &call.Offer{Max: call.Version10, SNI: true, Library: "OpenSSL 0.9.8"},
		}
	}
	r.ledger.Record(&o)
	f.all.Record(&o)
}

// scrape notes every sample of a replica, as Prometheus would.
func (f *fleetTest) scrape(r *replica) {
	f.t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "tlslift_client_") && name != "tlslift_upgrades_total" {
			continue
		}
		f.types[name] = family.GetType().String()
		for _, m := range family.GetMetric() {
			labels := []string{fmt.Sprintf("instance=%q", r.instance)}
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue()
			f.series[name] = append(f.series[name], fmt.Sprintf("%s{%s} %g %d\n", name, strings.Join(labels, ","), value, f.at.Unix()))
		}
	}
}

// openMetrics writes what was scraped in the form that promtool backfills from.
func (f *fleetTest) openMetrics(w io.Writer) {
	for name, samples := range f.series {
		kind, base := "gauge", name
		if f.types[name] == "COUNTER" {
			kind, base = "counter", strings.TrimSuffix(name, "_total")
		}
		fmt.Fprintf(w, "# TYPE %s %s\n", base, kind)
		// Samples of one series have to be together and in order of time.
		slices.SortStableFunc(samples, func(a, b string) int {
			return cmp.Compare(a[:strings.Index(a, "} ")], b[:strings.Index(b, "} ")])
		})
		for _, s := range samples {
			fmt.Fprint(w, s)
		}
	}
	fmt.Fprint(w, "# EOF\n")
}

// live runs 60 days. Each client has a day or two on which it changes its ways,
// and favours one replica.
func (f *fleetTest) live(r *rand.Rand) {
	type habit struct {
		client call.Identity
		from   []int // kind, by period; 3 is silence
		change []int // days
		every  int   // days between calls
	}
	var habits []habit
	for i := range fleetClients {
		h := habit{client: call.Identity{Name: fmt.Sprintf("10.0.0.%d", i), Source: call.SourceAddress}, every: 1 + i%3}
		if i%4 == 0 {
			h.client = call.Identity{Name: fmt.Sprintf("named-%d", i), Source: call.SourceName, Configured: true}
		}
		h.from = []int{r.IntN(2), r.IntN(4), r.IntN(4)}
		h.change = []int{r.IntN(fleetDays), r.IntN(fleetDays)}
		slices.Sort(h.change)
		habits = append(habits, h)
	}
	end := f.at.Add(fleetDays * dayLong)
	for hour := 0; f.at.Before(end); hour++ {
		day := hour / 24
		if hour == 35*24 {
			f.replicas[1] = f.start("replica-3:9129")
		}
		for i, h := range habits {
			if day%h.every != 0 || hour%24 != i%24 {
				continue
			}
			kind := h.from[0]
			for j, d := range h.change {
				if day >= d {
					kind = h.from[j+1]
				}
			}
			if kind < 3 {
				f.act(f.replicas[r.IntN(2)], h.client, kind)
			}
		}
		if hour%24 == 7 {
			f.act(f.replicas[day%2], call.Identity{Name: "scanner", Source: call.SourceAddress}, 3)
		}
		once := call.Identity{Name: "once terminated", Source: call.SourceAddress}
		switch hour {
		case (fleetDays - 10) * 24:
			f.act(f.replicas[0], once, doesLifted)
		case (fleetDays - 3) * 24:
			f.act(f.replicas[0], once, 2)
		}
		f.at = f.at.Add(time.Hour)
		if f.at.Unix()%int64(scrapeEvery/time.Second) == 0 {
			f.scrape(f.replicas[0])
			f.scrape(f.replicas[1])
		}
	}
}

func TestTheFleetsReportIsTheLedgers(t *testing.T) {
	t.Parallel()
	prometheusPath, promtool := realPrometheus(t)
	f := &fleetTest{t: t, at: now.Truncate(scrapeEvery).Add(-fleetDays * dayLong), series: make(map[string][]string), types: make(map[string]string)}
	start := f.at
	for i := 0; i < fleetClients; i += 4 {
		c := ledger.Configured{Name: fmt.Sprintf("named-%d", i)}
		if i%8 == 0 {
			c.Migrated = start.Add(time.Duration(10+i) * dayLong)
		}
		f.declared = append(f.declared, c)
	}
	f.declared = append(f.declared, ledger.Configured{Name: "never"})
	f.all = f.newLedger()
	f.replicas = [2]*replica{f.start("replica-1:9129"), f.start("replica-2:9129")}
	f.live(rand.New(rand.NewPCG(5, 6)))

	url := f.prometheus(prometheusPath, promtool)
	fleet, err := FromPrometheus(t.Context(), PrometheusOptions{URL: url, Now: f.at, Access: Access{}})
	if err != nil {
		t.Fatal(err)
	}
	one := newReport("ledger", f.at, 14*dayLong, f.all.Snapshot())
	compare(t, fleet, one)
}

func compare(t *testing.T, fleet, one *Report) {
	t.Helper()
	byName := make(map[string]ledger.Row)
	states, kinds := make(map[ledger.State]int), make(map[string]bool)
	for _, c := range fleet.Clients {
		byName[c.Client] = c
	}
	for _, want := range one.Clients {
		got, ok := byName[want.Client]
		states[want.State]++
		if !ok {
			t.Errorf("%s is not in the fleet's report", want.Client)
			continue
		}
		if got.State != want.State || got.Verdict != want.Verdict || got.Regressed != want.Regressed ||
			!got.LastInsecure.Equal(want.LastInsecure) || !got.LastSecure.Equal(want.LastSecure) || !got.FirstSeen.Equal(want.FirstSeen) {
			t.Errorf("%s:\nfleet  %s %q %t, first %v, insecure %v, secure %v\nledger %s %q %t, first %v, insecure %v, secure %v", want.Client,
				got.State, got.Verdict, got.Regressed, got.FirstSeen, got.LastInsecure, got.LastSecure,
				want.State, want.Verdict, want.Regressed, want.FirstSeen, want.LastInsecure, want.LastSecure)
		}
		// A series that begins with its first request, as a discovered client's
		// does each time it comes back, hides that request from increase().
		if d := got.RequestsPerDay - want.RequestsPerDay; d > 0.5 || d < -1 {
			t.Errorf("%s: %g requests a day, the ledger has %g", want.Client, got.RequestsPerDay, want.RequestsPerDay)
		}
		// None, some, or none that can be seen: that is not estimated.
		kind := func(c *ledger.Row) string {
			if text := c.RequestsADay(); text == "0" || text == "\u2013" {
				return text
			}
			return "some"
		}
		if kind(&got) != kind(&want) {
			t.Errorf("%s: %s requests a day, the ledger has %s", want.Client, got.RequestsADay(), want.RequestsADay())
		}
		kinds[kind(&want)] = true
	}
	if len(fleet.Clients) != len(one.Clients) {
		t.Errorf("%d clients in the fleet's report, %d in the ledger's", len(fleet.Clients), len(one.Clients))
	}
	if got, want := fleet.headline(), one.headline(); got != want {
		t.Errorf("headlines:\nfleet  %s\nledger %s", got, want)
	}
	if len(kinds) != 3 {
		t.Errorf("requests a day are of the kinds %v alone", kinds)
	}
	for _, s := range ledger.States {
		if states[s] == 0 {
			t.Errorf("no client is %s: the test shows too little (%v)", s, states)
		}
	}
}

// prometheus backfills what was scraped and serves it; it returns the address.
func (f *fleetTest) prometheus(prometheusPath, promtool string) string {
	t := f.t
	t.Helper()
	dir := t.TempDir()
	scraped, data, config := filepath.Join(dir, "scraped"), filepath.Join(dir, "data"), filepath.Join(dir, "prometheus.yml")
	file, err := os.Create(scraped)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(file)
	f.openMetrics(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	file.Close()
	if out, err := exec.CommandContext(t.Context(), promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=240h", scraped, data).CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%.2000s", err, out)
	}
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), prometheusPath, "--config.file="+config, "--storage.tsdb.path="+data,
		"--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0", "--log.level=info")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return listening(t, log)
}

// listening reads Prometheus' log until it serves, and returns its address.
func listening(t *testing.T, log io.Reader) string {
	t.Helper()
	address, ready, found := "", false, regexp.MustCompile(`Listening on" address=(\S+)`)
	lines := bufio.NewScanner(log)
	var all strings.Builder
	for lines.Scan() {
		all.WriteString(lines.Text() + "\n")
		if m := found.FindStringSubmatch(lines.Text()); m != nil {
			address = "http://" + m[1]
		}
		ready = ready || strings.Contains(lines.Text(), "Server is ready")
		if address != "" && ready {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return address
		}
	}
	t.Fatalf("prometheus does not serve:\n%s", all.String())
	return ""
}

// realPrometheus are the paths of prometheus and promtool. A short test, and one
// where they are missing, is skipped.
func realPrometheus(t *testing.T) (server, promtool string) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Prometheus")
	}
	server, promtool = installed(t, "prometheus"), installed(t, "promtool")
	if server == "" || promtool == "" {
		t.Skip("prometheus is not installed")
	}
	return server, promtool
}

// installed is the path of a program, "" where it is missing: in CI that is a
// failure.
func installed(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s (apt package prometheus) is not installed", program)
	}
	return path
}
