package report

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"tlslift/metrics/ledger"
)

// truth is how a client stands.
type truth struct {
	seen, called bool
	state        ledger.State
	verdict      ledger.Verdict
	regressed    bool
	misdeclared  bool
	by           string // a migrated one: proof, declaration
	fallsBack    bool
	library      string
	program      string
	key          string // of the advice
	several      bool
	failing      bool
}

// told is what a row says.
func told(r *ledger.Row) truth {
	return truth{
		!r.FirstSeen.IsZero(), !r.LastInsecure.IsZero() || !r.LastSecure.IsZero(),
		r.State, r.Verdict, r.Regressed, r.Misdeclared, r.MigratedBy, r.FallsBack, r.Library, r.Program, r.FixKey, r.SeveralPrograms, r.Failing,
	}
}

// labels are what the metrics say of it.
func (w truth) labels(c *simClient) simLabels {
	if !w.seen {
		return simLabels{}
	}
	return simLabels{w.verdict.String(), cmp.Or(w.library, "unknown"), cmp.Or(w.program, "unknown"), c.id.Source.String()}
}

// truth works everything out from what the client did where count says so. byCalls
// is the state without regard to failures, which no daily history has.
func (c *simClient) truth(now time.Time, counts func(act) bool) (w truth, byCalls ledger.State) {
	acts := slices.DeleteFunc(slices.Clone(c.acts), func(a act) bool { return a.kind == actForeign || !counts(a) })
	declared := !c.declared.IsZero() && !now.Before(c.declared)
	var insecure, secure bool // within N
	var lastInsecure, lastSecure, lastFailed time.Time
	var gotIn [simInstances]bool // by a modern hello: one that leaves without a word shows nothing then
	for _, a := range acts {
		recent := now.Sub(a.at) < simN
		if a.kind.insecure() {
			lastInsecure, insecure = a.at, recent
		}
		if a.kind.secure() {
			lastSecure, secure = a.at, recent
		}
		gotIn[a.instance] = gotIn[a.instance] || a.kind == actModern
		if a.kind.failed() && (a.kind != actMuteDistrusts || !gotIn[a.instance]) {
			lastFailed = a.at
		}
		if a.kind == actFallsBack {
			w.fallsBack = recent && (!declared || a.at.After(c.declared))
		}
	}
	w.seen, w.called = len(acts) > 0, !lastInsecure.IsZero() || !lastSecure.IsZero()
	w.regressed = declared && lastInsecure.After(c.declared)
	switch {
	case !w.seen:
		w.state = ledger.Unseen
	case !w.called:
		w.state = ledger.NoCalls
	case declared && !w.regressed:
		w.state = ledger.Migrated
	case insecure && secure:
		w.state = ledger.Mixed
	case insecure:
		w.state = ledger.Insecure
	case secure:
		w.state = ledger.Migrated
	default:
		w.state = ledger.Silent
	}
	byCalls = w.state
	w.failing = !slices.Contains([]ledger.Verdict{ledger.NoVerdict, ledger.Capable, ledger.Plaintext}, c.verdict(acts, declared).verdict) &&
		now.Sub(lastFailed) < simN && (!declared || lastFailed.After(c.declared))
	for _, called := range []time.Time{lastInsecure, lastSecure} {
		w.failing = w.failing && lastFailed.After(called) && now.Sub(called) >= 10*time.Minute
	}
	if w.failing && w.state == ledger.Migrated {
		w.state = ledger.Silent
	}
	if w.state == ledger.Migrated {
		if w.by = "declaration"; secure && !insecure {
			w.by = "proof"
		}
	}
	w.several = c.id.Name == "shared" && w.seen
	c.judge(&w, acts, declared)
	w.misdeclared = declared && !w.called && lastFailed.IsZero()
	return w, byCalls
}

// finding is when a verdict was last seen to hold, or was refuted.
type finding struct {
	verdict  ledger.Verdict
	at       time.Time
	holds    bool
	instance int
}

// judge adds verdict, library, program and advice.
func (c *simClient) judge(w *truth, acts []act, declared bool) {
	if len(acts) == 0 {
		return
	}
	newest := c.verdict(acts, declared)
	w.verdict = newest.verdict
	// Program and library are those of the instance that found it; what that one does
	// not know, the one that saw the client last knows, of those that do.
	instances := []int{newest.instance}
	for _, a := range slices.Backward(acts) {
		if !slices.Contains(instances, a.instance) {
			instances = append(instances, a.instance)
		}
	}
	for _, instance := range instances {
		library, program := c.knownAt(instance, w.verdict, acts, declared)
		w.library, w.program = cmp.Or(w.library, library), cmp.Or(w.program, program)
	}
	if w.state == ledger.NoCalls && w.verdict == ledger.Capable {
		w.key = "no-calls"
		return
	}
	done := w.state == ledger.Migrated || !w.failing &&
		(w.state == ledger.NoCalls && declared || w.state == ledger.Silent && !slices.ContainsFunc(acts, func(a act) bool { return a.kind.insecure() }))
	if done && w.verdict != ledger.Capable && w.verdict != ledger.NamesWrongHost {
		return // nothing is left to change
	}
	w.key = w.verdict.String()
	for _, key := range []string{programKeys[w.program], libraryKeys[w.library]} {
		if key != "" {
			w.key += "/" + key
		}
	}
}

// knownAt is what one instance knows of the client's library and program. It names
// the library of the hello that its own verdict is about.
func (c *simClient) knownAt(instance int, verdict ledger.Verdict, acts []act, declared bool) (library, program string) {
	there := slices.DeleteFunc(slices.Clone(acts), func(a act) bool { return a.instance != instance })
	var old, framed, modern string
	for _, a := range there {
		if a.kind.request() {
			program = a.runtime.program
		}
		switch a.kind {
		case actPlain, actFallsBack:
		case actSSLv2:
			framed = cmp.Or(a.runtime.old, framed)
		case actLegacy, actInside, actRefused, actRejectsCA, actMuteAboutCA, actShutOut:
			old = cmp.Or(a.runtime.old, old)
		default:
			modern = cmp.Or(a.runtime.modern, modern)
		}
	}
	if about := helloOf(verdict); about == helloOf(c.verdict(there, declared).verdict) {
		library = map[string]string{"old": cmp.Or(old, framed), "framed": framed, "modern": modern, "any": cmp.Or(old, framed, modern)}[about]
	}
	return library, program
}

// helloOf says which hello a verdict is about.
func helloOf(v ledger.Verdict) string {
	switch v {
	case ledger.Plaintext:
		return "any"
	case ledger.SSLv2Framed:
		return "framed"
	case ledger.LegacyOnly, ledger.DistrustsCA, ledger.ShutOut:
		return "old"
	default:
		return "modern"
	}
}

// verdict is the one that stands of what all instances have found.
func (c *simClient) verdict(acts []act, declared bool) (chosen finding) {
	var found [len(ledger.Verdicts) + 1]finding // the newest of each
	for instance := range simInstances {
		for v, f := range findings(acts, instance) {
			if f.at.After(found[v].at) {
				found[v] = f
			}
		}
	}
	var newest time.Time // of what holds
	for _, f := range found {
		if f.holds && f.at.After(newest) {
			newest = f.at
		}
	}
	// What is newest decides if nothing counts.
	for _, counts := range []func(time.Time) bool{
		func(at time.Time) bool { return newest.Sub(at) < simN && (!declared || at.After(c.declared)) },
		newest.Equal,
	} {
		for _, v := range ledger.Verdicts {
			if f := found[v]; chosen.verdict == ledger.NoVerdict && f.holds && counts(f.at) {
				chosen = f
			}
		}
	}
	return chosen
}

// findings are what one instance has found of each verdict. One that never saw a
// verdict hold refutes nothing.
func findings(acts []act, instance int) (found [len(ledger.Verdicts) + 1]finding) {
	var terminated, spliced bool // it once got in
	var lastInsecure time.Time
	secured := false // it made a call over its own TLS
	for _, a := range acts {
		if a.instance != instance {
			continue
		}
		for _, v := range refutes[a.kind] {
			if !found[v].at.IsZero() {
				found[v] = finding{v, a.at, false, instance}
			}
		}
		for _, v := range shown[a.kind] {
			// To hang up without a word says that a certificate is not trusted, but
			// not of a client that once got in.
			if a.kind == actMuteAboutCA && terminated && v == ledger.DistrustsCA || a.kind == actMuteDistrusts && spliced && v == ledger.DistrustsUpstream {
				continue
			}
			found[v] = finding{v, a.at, true, instance}
		}
		// The first call of a modern client ends what its old hellos showed that came to nothing.
		if a.kind.secure() && !secured {
			secured = true
			old := [...]ledger.Verdict{ledger.DistrustsCA, ledger.SSLv2Framed, ledger.LegacyOnly}
			if !slices.ContainsFunc(old[:], func(v ledger.Verdict) bool { return found[v].holds && !found[v].at.After(lastInsecure) }) {
				for _, v := range old {
					if found[v].holds {
						found[v] = finding{v, a.at, false, instance}
					}
				}
			}
		}
		if a.kind.insecure() {
			lastInsecure = a.at
		}
		terminated = terminated || a.kind == actLegacy || a.kind == actSSLv2
		spliced = spliced || a.kind == actModern
	}
	return found
}

// shown are the verdicts that an act is evidence for.
var shown = [numActs][]ledger.Verdict{
	actPlain: {ledger.Plaintext}, actFallsBack: {ledger.Plaintext}, actLegacy: {ledger.LegacyOnly}, actInside: {ledger.LegacyOnly},
	actSSLv2: {ledger.LegacyOnly, ledger.SSLv2Framed}, actRefused: {ledger.LegacyOnly},
	actRejectsCA: {ledger.LegacyOnly, ledger.DistrustsCA}, actMuteAboutCA: {ledger.LegacyOnly, ledger.DistrustsCA},
	actModern: {ledger.Capable}, actNoShared: {ledger.Capable, ledger.NoSharedCipher}, actScan: {ledger.Capable},
	actDistrusts: {ledger.Capable, ledger.DistrustsUpstream}, actMuteDistrusts: {ledger.Capable, ledger.DistrustsUpstream},
	actShutOut: {ledger.LegacyOnly, ledger.ShutOut}, actNameless: {ledger.Capable, ledger.NoServerName}, actWrongName: {ledger.Capable, ledger.NamesWrongHost},
}

// refutes are the verdicts that an act shows to hold no longer: it got in, or its
// hello names the host that it calls.
var refutes = [numActs][]ledger.Verdict{
	actPlain: {ledger.ShutOut}, actFallsBack: {ledger.ShutOut},
	actLegacy: got(ledger.DistrustsCA), actInside: got(ledger.DistrustsCA), actSSLv2: got(ledger.DistrustsCA),
	actModern:  got(ledger.DistrustsUpstream, ledger.NoSharedCipher),
	actRefused: named, actRejectsCA: named, actMuteAboutCA: named, actNoShared: named, actDistrusts: named, actMuteDistrusts: named,
	actShutOut: named, actScan: named,
}

var named = []ledger.Verdict{ledger.NoServerName, ledger.NamesWrongHost}

func got(in ...ledger.Verdict) []ledger.Verdict {
	return append(in, ledger.ShutOut, ledger.NoServerName, ledger.NamesWrongHost)
}

// forget drops what an instance no longer has of a client that gave way to others,
// which only one that made no call does. first is since when it has it; zero is
// not at all.
func (c *simClient) forget(t *testing.T, instance int, first time.Time) {
	t.Helper()
	c.acts = slices.DeleteFunc(c.acts, func(a act) bool {
		old := a.instance == instance && a.kind != actForeign && (first.IsZero() || a.at.Before(first))
		if old && (c.named || a.kind.insecure() || a.kind.secure()) {
			t.Fatalf("%s gave way, though it made a call on %s", c.id.Name, a.at)
		}
		return old
	})
}

// calls reports whether it is one that ever makes a call.
func (c *simClient) calls() bool {
	return slices.ContainsFunc(c.acts, func(a act) bool { return a.kind.insecure() || a.kind.secure() })
}

// actedOn reports whether the client did something on a day at an instance.
func (c *simClient) actedOn(day, instance int) bool {
	return slices.ContainsFunc(c.acts, func(a act) bool {
		return a.instance == instance && int(a.at.Sub(simStart)/dayLong) == day
	})
}
