package thirty

import (
	"maps"
	"math"
	"slices"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/test/dashboards/prom"
)

// World is what has happened up to a time, and what was exported of it.
type World struct {
	at        time.Time
	instances []*instance
	clients   []*state
	total     map[string]float64 // since Start, by "what/which"

	// Hours has what the rules must come to, for each hour since Start.
	Hours []Hour
}

// Hour is the truth at one moment.
type Hour struct {
	At      time.Time
	Seen    map[string]ledger.Times
	Counted map[string]float64 // since Start, by "what/which" and "what/which of client"
}

// state is one client as the fleet, taken together, has seen it.
type state struct {
	*Client
	seen ledger.Times
	due  float64 // requests owed
	turn int     // which instance is next
}

// NewWorld is the world at Start.
func NewWorld() *World {
	w := &World{at: Start, total: make(map[string]float64)}
	for i := range Clients {
		w.clients = append(w.clients, &state{Client: &Clients[i]})
	}
	w.instances = fleet()
	return w
}

// Day goes on for a day and returns the samples of it.
func (w *World) Day() []prom.Series {
	for end := w.at.Add(day); w.at.Before(end); {
		w.at = w.at.Add(Scrape)
		w.tick()
		if w.at.Truncate(time.Hour).Equal(w.at) {
			w.remember()
		}
	}
	var samples []prom.Series
	for _, i := range w.instances {
		samples = append(samples, i.take()...)
	}
	return samples
}

func (w *World) tick() {
	ago := Now.Sub(w.at).Hours() / 24
	for _, i := range w.instances {
		i.begin(w, ago)
	}
	for _, c := range w.clients {
		w.act(c, ago)
		if c.declared != 0 && ago <= c.declared {
			for _, i := range w.instances {
				i.declare(c.Client)
			}
		}
	}
	for _, i := range w.instances {
		i.serve(w, ago)
		i.scrape(w.at)
	}
}

// busy is how much of a day's mean load there is: offices work by day.
func busy(at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	noon := (hour - 12) / 4.2
	load := 0.35 + 1.3*math.Exp(-noon*noon)
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		load *= 0.55
	}
	return load
}

// act lets a client do what it does in one tick.
func (w *World) act(c *state, ago float64) {
	insecure, secure, rejects, knocks := in(c.insecure, ago), in(c.secure, ago), in(c.rejects, ago), in(c.knocks, ago)
	if !insecure && !secure && !rejects && !knocks {
		return
	}
	var alive []*instance
	for _, i := range w.instances {
		if i.up && i.serves(c.Client) {
			alive = append(alive, i)
		}
	}
	if len(alive) == 0 {
		return
	}
	c.due += c.perDay * busy(w.at) * Scrape.Hours() / 24
	n := math.Floor(c.due)
	if n == 0 {
		return
	}
	c.due -= n
	c.turn++
	i := alive[c.turn%len(alive)]
	switch {
	case rejects:
		w.fail(c, i, c.version, "client_rejected_ca", n)
		i.add("tlslift_client_connections_total", n, "client", c.Name, "ingress", c.ingress.String(), "tls_version", c.version.String(), "handling", call.Refused.String())
		i.gather(c, ledger.DistrustsCA, w.at)
		i.set("tlslift_client_last_failed_timestamp_seconds", float64(w.at.Unix()), "client", c.Name)
		c.seen.LastFailed = w.at
	case knocks:
		w.fail(c, i, c.modern, "no_call", n)
		i.gather(c, c.Verdict, w.at)
	case insecure && secure:
		half := math.Floor(n / 2)
		w.secure(c, i, n-half)
		w.insecure(c, i, half)
	case insecure:
		w.insecure(c, i, n)
	default:
		w.secure(c, i, n)
	}
}

func (w *World) insecure(c *state, i *instance, n float64) {
	if n == 0 {
		return
	}
	v, handling, ingress := c.version, call.Plain, c.ingress
	if v != plain {
		handling = call.Terminated
		i.add("tlslift_client_hellos_total", n, "client", c.Name, "max_version", v.String(), "framing", framing(c.Verdict), "sni", "no")
		w.count("hello/"+v.String(), c, n)
	}
	if ingress == call.Unknown {
		ingress = call.Forward
	}
	i.add("tlslift_client_connections_total", n, "client", c.Name, "ingress", ingress.String(), "tls_version", v.String(), "handling", handling.String())
	w.count("connection/"+v.String(), c, n)
	i.add("tlslift_client_requests_total", n, "client", c.Name, "upstream", upstream, "tls_version", v.String(), "insecure", "true")
	w.count("request/"+v.String(), c, n)
	over := "clear"
	if v != call.VersionNone {
		over = "old_tls"
	}
	i.add("tlslift_client_credentials_exposed_total", n, "client", c.Name, "kind", c.secret, "over", over)
	w.count("exposed/"+over+"/"+c.secret, c, n)
	i.add("tlslift_upgrades_total", n, "client", c.Name, "from", v.String())
	w.count("upgrade/"+v.String(), c, n)
	w.first(c)
	c.seen.LastInsecure = w.at
	i.see(c, "last_insecure", w.at)
	i.requests += n
}

func framing(v ledger.Verdict) string {
	if v == ledger.SSLv2Framed {
		return "sslv2"
	}
	return "tls"
}

// secure connections are spliced: they are seen, their requests are not.
func (w *World) secure(c *state, i *instance, n float64) {
	v := c.modern.String()
	i.add("tlslift_client_hellos_total", n, "client", c.Name, "max_version", v, "framing", "tls", "sni", "yes")
	w.count("hello/"+v, c, n)
	i.add("tlslift_client_connections_total", n, "client", c.Name, "ingress", "connect", "tls_version", v, "handling", "spliced")
	w.count("connection/"+v, c, n)
	w.first(c)
	c.seen.LastSecure = w.at
	i.see(c, "last_secure", w.at)
}

// fail is a client that shakes hands and makes no call.
func (w *World) fail(c *state, i *instance, offers call.Version, reason string, n float64) {
	sni := "yes"
	if offers.Insecure() {
		sni = "no"
	}
	i.add("tlslift_client_hellos_total", n, "client", c.Name, "max_version", offers.String(), "framing", "tls", "sni", sni)
	w.count("hello/"+offers.String(), c, n)
	i.add("tlslift_client_handshake_failures_total", n, "client", c.Name, "reason", reason)
	w.count("failure/"+reason, c, n)
	w.first(c)
}

// first notes when the fleet saw a client first.
func (w *World) first(c *state) {
	if c.seen.FirstSeen.IsZero() {
		c.seen.FirstSeen = w.at
	}
}

func (w *World) count(what string, c *state, n float64) {
	w.total[what] += n
	w.total[what+" of "+c.Name] += n
}

// remember notes the truth of this hour.
func (w *World) remember() {
	h := Hour{At: w.at, Seen: make(map[string]ledger.Times), Counted: maps.Clone(w.total)}
	for _, c := range w.clients {
		seen := c.seen
		seen.Verdict = c.Verdict
		if c.declared != 0 && !w.at.Before(Ago(c.declared)) {
			seen.Declared = Ago(c.declared)
		}
		if c.Source == "" || !seen.FirstSeen.IsZero() {
			h.Seen[c.Name] = seen
		}
	}
	w.Hours = append(w.Hours, h)
}

// HourAt is the truth at a time.
func (w *World) HourAt(at time.Time) Hour {
	return w.Hours[int(at.Sub(Start)/time.Hour)-1]
}

// States are the clients' states at that hour, by name.
func (h Hour) States() map[string]ledger.State {
	states := make(map[string]ledger.State)
	for name, seen := range h.Seen {
		states[name] = seen.StateAt(h.At, MigratedAfter)
	}
	return states
}

// Number is how many clients are in one of the states.
func (h Hour) Number(states ...ledger.State) float64 {
	n := 0.0
	for _, s := range h.States() {
		if slices.Contains(states, s) {
			n++
		}
	}
	return n
}

// Sum is a metric now, over all instances and all its series with that label
// ("" is any).
func (w *World) Sum(metric, label, value string) float64 {
	sum := 0.0
	w.each(metric, label, value, func(v float64) { sum += v })
	return sum
}

// Max is Sum with the greatest one.
func (w *World) Max(metric, label, value string) float64 {
	greatest := 0.0
	w.each(metric, label, value, func(v float64) { greatest = max(greatest, v) })
	return greatest
}

// Latest is, by client, the instance that exports its newest call.
func (w *World) Latest() map[string]string {
	newest, latest := make(map[string]float64), make(map[string]string)
	for _, i := range w.instances {
		for k, at := range i.values {
			switch l := i.labels(k); l["__name__"] {
			case "tlslift_client_last_insecure_timestamp_seconds", "tlslift_client_last_secure_timestamp_seconds", "tlslift_client_last_failed_timestamp_seconds":
				if client := l["client"]; at > newest[client] {
					newest[client], latest[client] = at, i.name
				}
			}
		}
	}
	return latest
}

func (w *World) each(metric, label, value string, take func(float64)) {
	for _, i := range w.instances {
		for k, v := range i.values {
			if labels := i.labels(k); labels["__name__"] == metric && (label == "" || labels[label] == value) {
				take(v)
			}
		}
	}
}
