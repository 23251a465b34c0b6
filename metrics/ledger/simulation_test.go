package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// The simulated migration: 200 clients over 90 days. Each behaves by a plan; the
// truth of every day is worked out from the bare list of what it did, and the
// ledger must tell the same for every client on every day, restarted or not.

const (
	simClients  = 200
	simDays     = 90
	simRestarts = 10
	simN        = 14 * dayLong
)

// act is one thing that a simulated client did.
type act struct {
	at   time.Time
	kind actKind
}

type actKind int

const (
	actPlain     actKind = iota // a request in clear
	actLegacy                   // a TLS 1.0 hello, terminated, a request
	actSSLv2                    // the same in SSLv2 framing
	actRefused                  // a TLS 1.0 hello, refused
	actRejectsCA                // a TLS 1.0 hello, our leaf rejected
	actModern                   // a TLS 1.3 hello, spliced
	actNoShared                 // a TLS 1.2 hello, the upstream refuses
	actDistrusts                // a TLS 1.3 hello, the upstream's certificate rejected
	actScan                     // a TLS 1.3 handshake and no more
	actForeign                  // plain HTTP to somebody else
)

func (k actKind) insecure() bool { return k <= actSSLv2 }

func (k actKind) secure() bool { return k == actModern }

// plan says what a client does on a day; nothing is silence.
type plan func(day int, r *rand.Rand) []actKind

type simClient struct {
	name     string
	named    bool // by the configuration
	plan     plan
	declared time.Time
	acts     []act
}

func always(kind actKind) plan {
	return func(int, *rand.Rand) []actKind { return []actKind{kind} }
}

func until(day int, before, after plan) plan {
	return func(d int, r *rand.Rand) []actKind {
		if d < day {
			return before(d, r)
		}
		return after(d, r)
	}
}

func nothing(int, *rand.Rand) []actKind { return nil }

// monthly is there on one day in thirty, weekdays on five in seven.
func monthly(kind actKind, on int) plan {
	return func(d int, _ *rand.Rand) []actKind {
		if d%30 == on {
			return []actKind{kind}
		}
		return nil
	}
}

func weekdays(kind actKind) plan {
	return func(d int, _ *rand.Rand) []actKind {
		if d%7 < 5 {
			return []actKind{kind}
		}
		return nil
	}
}

// part does either, at random: some instances have changed.
func part(a, b actKind) plan {
	return func(_ int, r *rand.Rand) []actKind {
		return [][]actKind{{a}, {b}, {a, b}, nil}[r.IntN(4)]
	}
}

func simPopulation(r *rand.Rand) []*simClient {
	legacy := []actKind{actPlain, actPlain, actLegacy, actLegacy, actSSLv2, actRefused, actRejectsCA, actNoShared}
	var clients []*simClient
	for i := range simClients {
		old, d := legacy[r.IntN(len(legacy))], 5+r.IntN(simDays-10)
		c := &simClient{name: fmt.Sprintf("client-%03d", i), named: i%4 == 0}
		day := func(n int) time.Time { return epoch.Add(time.Duration(n) * dayLong) }
		switch i % 10 {
		case 0:
			c.plan = always(old)
		case 1:
			c.plan = weekdays(old)
		case 2, 3:
			c.plan = until(d, always(old), weekdays(actModern))
		case 4:
			c.plan = until(d, always(old), until(d+20, part(old, actModern), always(actModern)))
		case 5: // regresses
			c.plan = until(d, always(old), until(d+25, always(actModern), always(old)))
		case 6:
			c.plan = monthly(old, r.IntN(30))
		case 7:
			c.plan = until(d, weekdays(old), nothing)
		case 8: // declared, and mostly true to it
			c.named = true
			c.declared = day(d)
			c.plan = until(d, always(old), until(d+10, nothing, [2]plan{nothing, monthly(old, 3)}[i/10%2]))
		case 9:
			c.plan = [6]plan{
				nothing, always(actForeign), always(actModern), weekdays(actScan), always(actDistrusts),
				until(d, always(actDistrusts), always(actModern)),
			}[i/10%6]
		}
		clients = append(clients, c)
	}
	return clients
}

// truth works a state and verdict out from everything a client did.
func (c *simClient) truth(now time.Time) (State, Verdict, bool) {
	declared := !c.declared.IsZero() && !now.Before(c.declared)
	var insecureN, secureN, called, everything, sinceDeclared bool
	for _, a := range c.acts {
		if a.kind == actForeign {
			continue
		}
		everything = true
		recent := now.Sub(a.at) < simN
		called = called || a.kind.insecure() || a.kind.secure()
		insecureN = insecureN || recent && a.kind.insecure()
		secureN = secureN || recent && a.kind.secure()
		sinceDeclared = sinceDeclared || declared && a.at.After(c.declared) && a.kind.insecure()
	}
	verdict := c.trueVerdict(declared)
	switch {
	case !everything:
		return Unseen, verdict, false
	case !called:
		return NoCalls, verdict, false
	case declared && !sinceDeclared:
		return Migrated, verdict, false
	case insecureN && secureN:
		return Mixed, verdict, sinceDeclared
	case insecureN:
		return Insecure, verdict, sinceDeclared
	case secureN:
		return Migrated, verdict, sinceDeclared
	default:
		return Silent, verdict, sinceDeclared
	}
}

var actVerdicts = map[actKind][]Verdict{
	actPlain: {Plaintext}, actLegacy: {LegacyOnly}, actSSLv2: {LegacyOnly, SSLv2Framed}, actRefused: {LegacyOnly},
	actRejectsCA: {LegacyOnly, DistrustsCA}, actModern: {Capable}, actNoShared: {Capable, NoSharedCipher},
	actDistrusts: {Capable, DistrustsUpstream}, actScan: {Capable},
}

func (c *simClient) trueVerdict(declared bool) Verdict {
	acts := slices.DeleteFunc(slices.Clone(c.acts), func(a act) bool { return a.kind == actForeign })
	if len(acts) == 0 {
		return NoVerdict
	}
	last := acts[len(acts)-1].at
	counts := func(a act) bool {
		return last.Sub(a.at) < simN && (!declared || a.at.After(c.declared))
	}
	if !slices.ContainsFunc(acts, counts) {
		counts = func(a act) bool { return a.at.Equal(last) }
	}
	holds := make(map[Verdict]bool)
	for _, a := range acts {
		if a.kind == actModern {
			holds[NoSharedCipher], holds[DistrustsUpstream] = false, false
		}
		if a.kind == actLegacy || a.kind == actSSLv2 {
			holds[DistrustsCA] = false
		}
		for _, v := range actVerdicts[a.kind] {
			holds[v] = holds[v] || counts(a)
		}
	}
	for _, v := range Verdicts {
		if holds[v] {
			return v
		}
	}
	return NoVerdict
}

// perform records what the proxy would.
func perform(g rig, client string, kind actKind) {
	switch kind {
	case actPlain:
		o := plain("www.mymobileapi.com")
		o.Sighted = &call.Sighted{Ours: true, Ingress: call.Forward, Handling: call.Plain}
		g.request(client, o)
	case actLegacy, actSSLv2:
		v := ended(call.Version10)
		v.Ours, v.Hello.SSLv2 = true, kind == actSSLv2
		o := terminated(call.Version10)
		o.Sighted, o.Offer = &v, v.Hello
		g.request(client, o)
	case actRefused:
		g.sight(client, refused(call.Version10, call.HandshakeVersion))
	case actRejectsCA:
		g.sight(client, refused(call.Version10, call.HandshakeClientRejectedCA))
	case actModern:
		g.sight(client, spliced())
	case actNoShared:
		g.sight(client, declined(call.Version12, call.HandshakeNoSharedCipher))
	case actDistrusts:
		g.sight(client, declined(call.Version13, call.HandshakeClientRejectedUpstream))
	case actScan:
		g.sight(client, declined(call.Version13, call.HandshakeNoCall))
	case actForeign:
		g.request(client, foreign())
	}
}

func TestSimulatedMigration(t *testing.T) {
	t.Parallel()
	for _, restarts := range []int{0, simRestarts} {
		t.Run(fmt.Sprintf("%d restarts", restarts), func(t *testing.T) {
			t.Parallel()
			simulate(t, restarts)
		})
	}
}

func simulate(t *testing.T, restarts int) {
	r := rand.New(rand.NewPCG(1, 20260301))
	clients := simPopulation(r)
	options := Options{File: filepath.Join(t.TempDir(), "ledger.json")}
	settings := Settings{MigratedAfter: simN}
	for _, c := range clients {
		if c.named {
			settings.Clients = append(settings.Clients, Configured{Name: c.name, Migrated: c.declared})
		}
	}
	g := newRigIn(options, settings)
	states := make(map[State]int)
	var insecure []int // at the end of each day
	for day := range simDays {
		if restarts > 0 && day > 0 && day%(simDays/restarts) == 0 {
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			g = rigAt(g.clock, options, settings)
		}
		simDay(g, clients, day, r)
		g.clock.set(epoch.Add(time.Duration(day+1) * dayLong))
		insecure = append(insecure, 0)
		for _, c := range clients {
			state, verdict, regressed := c.truth(g.clock.now())
			got, ok := g.Row(c.name)
			if !ok && state == Unseen && !c.named {
				continue
			}
			if got.State != state || got.Verdict != verdict || got.Regressed != regressed {
				t.Fatalf("day %d, %s: %s, %q, regressed %t; the truth is %s, %q, %t", day, c.name,
					got.State, got.Verdict, got.Regressed, state, verdict, regressed)
			}
			states[state]++
			if state == Insecure || state == Mixed {
				insecure[day]++
			}
		}
		checkCloses(t, g, insecure)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range States {
		if states[s] == 0 {
			t.Errorf("no client was ever %s: the simulation shows too little", s)
		}
	}
}

// checkCloses: the history says how many clients were insecure at the end of each
// day, as the states said then.
func checkCloses(t *testing.T, g rig, want []int) {
	t.Helper()
	now, p := g.clock.now(), g.currentPolicy()
	past := closes{today: dayOf(now.Unix()), window: int32(p.MigratedAfter / dayLong)}
	g.each(func(r *row) { past.add(r, unixOf(p.clients[r.name].Migrated)) })
	want = want[max(0, len(want)-forecastDays):]
	if got := past.insecure[forecastDays-len(want):]; !slices.Equal(got, want) {
		t.Fatalf("%s: insecure at the end of each day:\n%v, the truth is\n%v", now, got, want)
	}
}

// simDay has every client do its day, in the order of the times it does it at.
func simDay(g rig, clients []*simClient, day int, r *rand.Rand) {
	type doing struct {
		client *simClient
		act
	}
	var today []doing
	for _, c := range clients {
		for _, kind := range c.plan(day, r) {
			at := epoch.Add(time.Duration(day)*dayLong + time.Duration(1+r.IntN(86_000))*time.Second)
			today = append(today, doing{c, act{at, kind}})
		}
	}
	slices.SortStableFunc(today, func(a, b doing) int { return a.at.Compare(b.at) })
	for _, d := range today {
		g.clock.set(d.at)
		d.client.acts = append(d.client.acts, d.act)
		perform(g, d.client.name, d.kind)
	}
}
