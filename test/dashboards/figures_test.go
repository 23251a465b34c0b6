package dashboards

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/test/dashboards/prom"
	"tlslift/test/dashboards/thirty"
)

const hour = time.Hour

// truth is the script's answer to what the panels ask.
type truth struct {
	w         *thirty.World
	now, week thirty.Hour
	states    map[string]ledger.State
	scripted  map[string]thirty.Client
	slope     float64 // clients per second
}

func newTruth(w *thirty.World) truth {
	t := truth{w: w, now: w.HourAt(thirty.Now), week: w.HourAt(thirty.Ago(7)), scripted: make(map[string]thirty.Client)}
	t.states = t.now.States()
	for _, c := range thirty.Clients {
		t.scripted[c.Name] = c
	}
	t.slope = t.regression()
	return t
}

func insecure(h thirty.Hour) float64 { return h.Number(ledger.Insecure, ledger.Mixed) }

func share(h thirty.Hour) float64 {
	return insecure(h) / h.Number(ledger.Insecure, ledger.Mixed, ledger.Migrated)
}

// since is what was counted up to h after a time before it.
func (t truth) since(h thirty.Hour, back time.Duration, what string) float64 {
	return h.Counted[what] - t.w.HourAt(h.At.Add(-back)).Counted[what]
}

func (t truth) insecureConnections(h thirty.Hour) float64 {
	var bad, all float64
	for _, v := range []string{"none", "1.0", "1.1", "1.2", "1.3"} {
		n := t.since(h, 24*hour, "connection/"+v)
		all += n
		if v < "1.2" || v == "none" {
			bad += n
		}
	}
	return bad / all
}

// regression is the slope of the number of insecure clients at the end of each
// of the last 28 days.
func (t truth) regression() float64 {
	var n, sx, sy, sxx, sxy float64
	for at := thirty.Now.Truncate(24 * hour); at.After(thirty.Ago(28)); at = at.Add(-24 * hour) {
		x, y := at.Sub(thirty.Now).Seconds(), insecure(t.w.HourAt(at))
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}

// most is the greatest number of insecure clients at any time.
func (t truth) most() float64 {
	n := 0.0
	for _, h := range t.w.Hours {
		n = max(n, insecure(h))
	}
	return n
}

// of is a value for each client for which there is one.
func (t truth) of(value func(c thirty.Client, seen ledger.Times) (suffix string, v float64, ok bool)) map[string]float64 {
	all := make(map[string]float64)
	for name, seen := range t.now.Seen {
		if suffix, v, ok := value(t.scripted[name], seen); ok {
			all[name+suffix] = v
		}
	}
	return all
}

func lastSeen(s ledger.Times) time.Time {
	if s.LastSecure.After(s.LastInsecure) {
		return s.LastSecure
	}
	return s.LastInsecure
}

// by is what was counted in a time, by the word behind the prefix; 0 is left
// out.
func (t truth) by(prefix string, back time.Duration, scale float64) map[string]float64 {
	all := make(map[string]float64)
	for what := range t.now.Counted {
		if word, ok := strings.CutPrefix(what, prefix); ok && !strings.Contains(word, " of ") {
			if n := t.since(t.now, back, what); n > 0 {
				all[word] = n * scale
			}
		}
	}
	return all
}

func migrationFigures(w *thirty.World) []figure {
	t := newTruth(w)
	forecast := func(at float64) float64 {
		return max(0, insecure(t.now)+t.slope*(at-float64(thirty.Now.Unix())))
	}
	ahead := thirty.Ago(-10).Truncate(2 * hour)
	left := thirty.Target.Sub(thirty.Now)
	figures := []figure{
		{panel: "Insecure clients", ref: "A", reduce: last, want: one(share(t.now))},
		{panel: "Insecure clients", ref: "B", reduce: last, want: one(share(t.week))},
		{panel: "Insecure connections", ref: "A", reduce: last, want: one(t.insecureConnections(t.now)), relative: 0.02},
		{panel: "Insecure connections", ref: "B", reduce: last, want: one(t.insecureConnections(t.week)), relative: 0.02},
		{panel: "Burn-down", ref: "A", reduce: at(thirty.Now), want: one(insecure(t.now))},
		{panel: "Burn-down", ref: "A", reduce: at(thirty.Ago(9)), want: one(insecure(w.HourAt(thirty.Ago(9))))},
		{panel: "Burn-down", ref: "B", reduce: at(ahead), want: one(forecast(float64(ahead.Unix()))), absolute: 0.1},
		{panel: "Burn-down", ref: "C", reduce: at(ahead), want: one(insecure(t.now) * float64(thirty.Target.Sub(ahead)) / float64(left)), absolute: 0.1},
		{panel: "Burn-down", ref: "C", reduce: last, want: one(0)},
		{panel: "Burn-down", ref: "D", reduce: at(thirty.Target), want: one(t.most())},
		{panel: "Burn-down", ref: "D", reduce: number, want: one(1)},
		{panel: "Target", ref: "A", reduce: last, want: one(math.Floor(left.Hours() / 24))},
		{panel: "Target", ref: "B", reduce: last, want: one(insecure(t.now) / (left.Hours() / 24 / 7)), absolute: 0.01},
		{panel: "Target", ref: "C", reduce: last, want: one(-t.slope * 7 * 86400), absolute: 0.01},
		{panel: "Target", ref: "D", reduce: last, want: one(1)}, // on track
		{panel: "Collecting since", ref: "A", reduce: last, want: one(t.began()), absolute: float64(hour.Milliseconds())},
		{panel: "Failed handshakes by reason", ref: "A", reduce: still, want: t.by("failure/", 24*hour, 1), relative: 0.02},
		{panel: "Secrets in clear", ref: "A", reduce: still, want: t.secrets("clear", "soap"), relative: 0.02, absolute: 1},
		{panel: "Secrets over old TLS", ref: "A", reduce: still, want: t.secrets("old_tls", "bearer"), relative: 0.02, absolute: 1},
	}
	for i, version := range []string{"none", "ssl3", "1.0", "1.1", "1.2", "1.3"} {
		figures = append(figures, figure{
			panel: "Connections by TLS version", ref: string(rune('A' + i)), reduce: mean, want: t.mix(version), relative: 0.02,
		})
	}
	for i, version := range []string{"ssl3", "1.0", "1.1", "1.2", "1.3"} {
		figures = append(figures, figure{
			panel: "What clients could do", ref: string(rune('A' + i)), reduce: still, want: t.offers(version),
		})
	}
	for i, s := range []ledger.State{ledger.Insecure, ledger.Mixed, ledger.Silent, ledger.Unseen, ledger.Migrated, ledger.NoCalls} {
		for _, panel := range []string{"Clients by state", "Clients by state over time"} {
			if panel == "Clients by state over time" && s == ledger.NoCalls {
				continue // no client to migrate
			}
			figures = append(figures, figure{
				panel: panel, ref: string(rune('A' + i)), reduce: last, want: map[string]float64{s.String(): t.now.Number(s)},
			})
		}
	}
	return append(figures, t.tables()...)
}

// mix is connections an hour of a version, in the mean of the month that the
// panel shows.
func (t truth) mix(version string) map[string]float64 {
	all := make(map[string]float64)
	if n := t.since(t.now, 30*24*hour, "connection/"+version); n > 0 {
		all[version] = n / 30 / 24
	}
	return all
}

// secrets is how many of each kind were seen in a day, and the kind that has
// stopped.
func (t truth) secrets(over, stopped string) map[string]float64 {
	all := map[string]float64{stopped: 0}
	maps.Copy(all, t.by("exposed/"+over+"/", 24*hour, 1))
	return all
}

// offers is how many clients offered a version within a day.
func (t truth) offers(version string) map[string]float64 {
	n, ever := 0.0, false
	for name := range t.scripted {
		if t.since(t.now, 24*hour, "hello/"+version+" of "+name) > 0 {
			n++
		}
		ever = ever || t.now.Counted["hello/"+version+" of "+name] > 0
	}
	if !ever {
		return nil
	}
	return map[string]float64{version: n}
}

// began is when the first client called.
func (t truth) began() float64 {
	first := thirty.Now
	for _, h := range t.w.Hours {
		for _, seen := range h.Seen {
			if at := lastSeen(seen); !at.IsZero() && h.At.Before(first) {
				first = h.At
			}
		}
	}
	return float64(first.UnixMilli())
}

func runtime(c thirty.Client) string {
	library, program := c.Runtime()
	return " " + library + " " + program
}

// failing reports whether a client of the script cannot call.
func (t truth) failing(c thirty.Client) bool {
	return t.now.Seen[c.Name].FailingAt(t.now.At, thirty.MigratedAfter)
}

// listed is of, for the clients of the table Clients: those that made a call, are
// configured, or cannot call.
func (t truth) listed(value func(c thirty.Client, seen ledger.Times) (suffix string, v float64, ok bool)) map[string]float64 {
	return t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
		suffix, v, ok := value(c, seen)
		return suffix, v, ok && (t.states[c.Name] != ledger.NoCalls || t.failing(c))
	})
}

func (t truth) tables() []figure {
	requests := t.listed(func(c thirty.Client, _ ledger.Times) (string, float64, bool) {
		n := 0.0
		for _, v := range []string{"none", "1.0", "1.1"} {
			n += t.since(t.now, 24*hour, "request/"+v+" of "+c.Name)
		}
		// Series of pods that are gone are gone with them.
		ever := total(t.now, "request/", c.Name) > 0 && c.Name != "pay/billing" && c.Name != "ops/nightly"
		return "", n, ever
	})
	newly := func(name string) bool { return slices.Contains([]string{"10.4.7.19"}, name) }
	milli := func(at time.Time) float64 { return float64(at.UnixMilli()) }
	rank := func(v ledger.Verdict) float64 {
		return float64(len(ledger.Verdicts)) - float64(slices.Index(ledger.Verdicts[:], v))
	}
	verdict := func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
		return " " + c.Verdict.String(), rank(c.Verdict), !seen.FirstSeen.IsZero()
	}
	changes := make(map[string]float64) // the labels change, client and verdict
	for who, v := range t.listed(verdict) {
		changes[who[strings.LastIndex(who, " ")+1:]+" "+who] = v
	}
	latest := t.w.Latest()
	instances := make(map[string]float64)
	for client := range t.listed(func(c thirty.Client, _ ledger.Times) (string, float64, bool) { return "", 1, latest[c.Name] != "" }) {
		instances[client+" "+latest[client]] = 1
	}
	uncalled := func(c thirty.Client) bool { return t.states[c.Name] == ledger.NoCalls && !t.failing(c) }
	reported := func([]prom.Sample) float64 { return 1 } // its value is when it was reported
	return []figure{
		{panel: "Clients", ref: "A", reduce: last, want: t.listed(func(c thirty.Client, _ ledger.Times) (string, float64, bool) {
			if t.failing(c) {
				return " failing", 1, true
			}
			return " " + t.states[c.Name].String(), 1, true
		})},
		{panel: "Clients", ref: "B", reduce: last, want: changes},
		{panel: "Clients", ref: "C", reduce: reported, want: t.listed(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			return runtime(c), 1, !lastSeen(seen).IsZero() || t.failing(c)
		})},
		{panel: "Clients", ref: "D", reduce: last, want: requests, relative: 0.02, absolute: 2},
		{panel: "Clients", ref: "E", reduce: last, want: t.listed(func(_ thirty.Client, seen ledger.Times) (string, float64, bool) {
			return "", milli(seen.LastInsecure), !seen.LastInsecure.IsZero()
		})},
		{panel: "Clients", ref: "F", reduce: reported, want: instances},
		{panel: "Clients", ref: "G", reduce: last, want: t.listed(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			switch {
			case t.failing(c):
				return "", 1e10, true
			case seen.LastInsecure.IsZero():
				return "", 1, true
			}
			return "", float64(seen.LastInsecure.Unix()), true
		})},
		{panel: "Connected, never called", ref: "A", reduce: last, want: t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			return "", milli(seen.FirstSeen), uncalled(c)
		})},
		{panel: "Connected, never called", ref: "B", reduce: last, want: t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			suffix, v, _ := verdict(c, seen)
			return suffix, v, uncalled(c)
		})},
		{panel: "Connected, never called", ref: "C", reduce: last, want: t.of(func(c thirty.Client, _ ledger.Times) (string, float64, bool) {
			failed := t.since(t.now, 24*hour, "failure/client_rejected_ca of "+c.Name) + t.since(t.now, 24*hour, "failure/no_call of "+c.Name)
			return "", failed, uncalled(c)
		}), relative: 0.02},
		{panel: "Newly insecure", ref: "A", reduce: last, want: t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			return "", milli(seen.LastInsecure), newly(c.Name)
		})},
		{panel: "Newly insecure", ref: "B", reduce: last, want: t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			suffix, v, _ := verdict(c, seen)
			return suffix, v, newly(c.Name)
		})},
		{panel: "Silent", ref: "A", reduce: last, want: t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			return "", milli(lastSeen(seen)), t.states[c.Name] == ledger.Silent && !t.failing(c)
		})},
		{panel: "Silent", ref: "B", reduce: reported, want: t.of(func(c thirty.Client, _ ledger.Times) (string, float64, bool) {
			return runtime(c), 1, t.states[c.Name] == ledger.Silent && !t.failing(c)
		})},
	}
}
