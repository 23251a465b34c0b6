package thirty

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/test/dashboards/prom"
)

const (
	upstream = "*.smsportal.com"
	gateways = "tlslift-gateway"
	sidecars = "tlslift-sidecars"
)

// instance is one process of tlslift and what it exports.
type instance struct {
	job, name string
	client    string // a sidecar's one client
	life      span
	restart   float64 // in days before Now; 0 = never

	up       bool
	values   map[string]float64      // by key: metric and labels
	exported map[string]bool         // at the last scrape
	day      map[string]*prom.Series // by key; what was scraped since the day began
	requests float64                 // lifted in this tick
}

func fleet() []*instance {
	whole := span{Days, -1}
	all := []*instance{
		{job: gateways, name: "gw-a:9129", life: whole},
		{job: gateways, name: "gw-b:9129", life: whole, restart: 18.5},
		{job: sidecars, name: "pay/billing-1", client: "pay/billing", life: span{Days, 18.95}},
		{job: sidecars, name: "pay/billing-2", client: "pay/billing", life: span{19, -1}},
		{job: sidecars, name: "pay/refunds-1", client: "pay/refunds", life: whole},
		{job: sidecars, name: "shop/checkout-1", client: "shop/checkout", life: whole},
	}
	for n, night := range nights(22, 0.5) {
		all = append(all, &instance{job: sidecars, name: fmt.Sprintf("ops/nightly-%02d", n), client: "ops/nightly", life: night})
	}
	for _, i := range all {
		i.day = make(map[string]*prom.Series)
	}
	return all
}

// serves reports whether the client comes through this instance.
func (i *instance) serves(c *Client) bool {
	return i.client == c.Name || i.client == "" && !c.sidecar
}

// begin starts, restarts or ends the process.
func (i *instance) begin(w *World, ago float64) {
	i.requests = 0
	was := i.up
	i.up = i.life.has(ago)
	if i.up && i.restart != 0 && ago <= i.restart {
		i.restart, was = 0, false
	}
	if i.up == was {
		return
	}
	i.values = make(map[string]float64)
	if !i.up {
		return
	}
	i.set("process_start_time_seconds", float64(w.at.Add(-time.Minute).Unix()))
	i.set("tlslift_build_info", 1, "version", "1.0.0", "revision", "4f2c1d0", "goversion", "go1.26.8")
	if i.client == "" { // the sidecars were injected before there was a target
		i.set("tlslift_target_timestamp_seconds", float64(Target.Unix()))
	} else {
		i.set("tlslift_target_timestamp_seconds", 0)
	}
	for _, c := range w.clients {
		if c.Source == "" && i.serves(c.Client) {
			i.configure(c.Client)
		}
	}
}

// configure makes what a client of the configuration has from the start.
func (i *instance) configure(c *Client) {
	for _, gauge := range []string{"first_seen", "last_insecure", "last_secure", "last_failed", "declared_migrated"} {
		i.set("tlslift_client_"+gauge+"_timestamp_seconds", 0, "client", c.Name)
	}
	i.set("tlslift_upgrades_total", 0, "client", c.Name, "from", "none")
	if i.client != "" {
		for _, from := range []string{"1.0", "1.1", "1.2", "1.3"} {
			i.set("tlslift_upgrades_total", 0, "client", c.Name, "from", from)
		}
	}
}

// declare is the configuration after an owner's declaration.
func (i *instance) declare(c *Client) {
	if i.up && i.serves(c) {
		i.set("tlslift_client_declared_migrated_timestamp_seconds", float64(Ago(c.declared).Unix()), "client", c.Name)
	}
}

// see notes that a client made a call. That refutes that it distrusts the CA.
func (i *instance) see(c *state, which string, at time.Time) {
	i.gather(c, c.Verdict, at)
	i.set("tlslift_client_"+which+"_timestamp_seconds", float64(at.Unix()), "client", c.Name)
	distrusted := key("tlslift_client_verdict_timestamp_seconds", []string{"client", c.Name, "verdict", ledger.DistrustsCA.String()})
	if _, ok := i.values[distrusted]; ok {
		delete(i.values, distrusted)
		delete(i.values, key("tlslift_client_verdict", []string{"client", c.Name, "verdict", ledger.DistrustsCA.String()}))
		i.set("tlslift_client_verdict_refuted_timestamp_seconds", float64(at.Unix()), "client", c.Name, "verdict", ledger.DistrustsCA.String())
	}
}

// gather notes what a client shows: that it is there, its verdict and library.
func (i *instance) gather(c *state, verdict ledger.Verdict, at time.Time) {
	if i.add("tlslift_client_first_seen_timestamp_seconds", 0, "client", c.Name) == 0 {
		i.set("tlslift_client_first_seen_timestamp_seconds", float64(at.Unix()), "client", c.Name)
	}
	i.set("tlslift_client_verdict", 1, "client", c.Name, "verdict", verdict.String())
	i.set("tlslift_client_verdict_timestamp_seconds", float64(at.Unix()), "client", c.Name, "verdict", verdict.String())
	source := c.Source
	if source == "" {
		source = "name"
	}
	library, program := c.Runtime()
	i.set("tlslift_client_library_info", 1, "client", c.Name, "library", library, "program", program, "identity_source", source)
}

const separator = "\xff"

func key(metric string, labels []string) string {
	return metric + separator + strings.Join(labels, separator)
}

// add increments a series, which begins with its first increment, and returns
// its value.
func (i *instance) add(metric string, n float64, labels ...string) float64 {
	k := key(metric, labels)
	i.values[k] += n
	return i.values[k]
}

func (i *instance) set(metric string, value float64, labels ...string) {
	i.values[key(metric, labels)] = value
}

// observe puts n values into a histogram.
func (i *instance) observe(metric string, buckets []float64, value, n float64, labels ...string) {
	labels = labels[:len(labels):len(labels)]
	for _, b := range buckets {
		hit := 0.0
		if value <= b {
			hit = n
		}
		i.add(metric+"_bucket", hit, append(labels, "le", strconv.FormatFloat(b, 'g', -1, 64))...)
	}
	i.add(metric+"_bucket", n, append(labels, "le", "+Inf")...)
	i.add(metric+"_sum", value*n, labels...)
	i.add(metric+"_count", n, labels...)
}

// scrape takes a sample of every series, and ends those that are gone.
func (i *instance) scrape(at time.Time) {
	now := make(map[string]bool, len(i.values))
	for k, v := range i.values {
		now[k] = true
		i.sample(k, at, v)
	}
	for k := range i.exported {
		if !now[k] {
			i.sample(k, at, prom.Stale)
		}
	}
	i.exported = now
}

func (i *instance) sample(key string, at time.Time, value float64) {
	s := i.day[key]
	if s == nil {
		s = &prom.Series{Labels: i.labels(key)}
		i.day[key] = s
	}
	s.Samples = append(s.Samples, prom.Sample{At: at.UnixMilli(), Value: value})
}

func (i *instance) labels(key string) map[string]string {
	parts := strings.Split(key, separator)
	labels := map[string]string{"__name__": parts[0], "job": i.job, "instance": i.name}
	if i.client != "" {
		labels["namespace"], labels["pod"], _ = strings.Cut(i.name, "/")
	}
	for l := 1; l+1 < len(parts); l += 2 {
		labels[parts[l]] = parts[l+1]
	}
	return labels
}

// take returns what was scraped since the last call.
func (i *instance) take() []prom.Series {
	var all []prom.Series
	for s := range maps.Values(i.day) {
		all = append(all, *s)
	}
	clear(i.day)
	return all
}
