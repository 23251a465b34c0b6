package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// TestHeadline: nothing is done while a client cannot call, while nobody has
// called, or while the watch is too short to say so.
func TestHeadline(t *testing.T) {
	t.Parallel()
	named := func(n int) (s Settings) {
		for i := range n {
			s.Clients = append(s.Clients, Configured{Name: string(rune('a' + i))})
		}
		return s
	}
	scan := spliced()
	scan.NoCall, scan.Failure = true, call.HandshakeNoCall
	secure := func(g rig) { g.sight("good", spliced()) }
	fails := func(g rig) { g.sight("down", refused(call.Version11, call.HandshakeClientRejectedCA)) }
	leaves := func(g rig) { script{g, "gone"}.leaves() }
	for name, c := range map[string]struct {
		settings Settings
		do       []func(g rig)
		want     Headline
	}{
		"nothing":       {Settings{}, nil, Headline{"No client has been seen yet", "Point an application at tlslift and it shows up here.", false}},
		"a scanner":     {Settings{}, []func(rig){func(g rig) { g.sight("s", scan) }}, Headline{"No client has made a call yet", "Point an application at tlslift and it shows up here.", false}},
		"one named":     {named(1), nil, Headline{"No client has made a call yet", "1 client is named in the configuration, and it has not called.", false}},
		"four named":    {named(4), nil, Headline{"No client has made a call yet", "4 clients are named in the configuration, and none has called.", false}},
		"only failures": {named(1), []func(rig){fails}, Headline{"No client has made a call yet", "1 client connects, but its TLS handshakes fail: see the table.", false}},
		"first call": {
			Settings{},
			[]func(rig){secure, func(g rig) { g.clock.advance(3 * time.Minute) }},
			Headline{"Nothing seen so far needs tlslift", "tlslift has watched for 3 minutes. A client counts as migrated for certain after 14 days without an insecure call.", false},
		},
		"long enough": {
			Settings{},
			[]func(rig){secure, func(g rig) { g.clock.advance(14 * dayLong) }, secure},
			Headline{"Every client that was seen is migrated", "Before you remove tlslift, see Remove tlslift in docs/migrating.md.", true},
		},
		"one cannot call": {
			Settings{},
			[]func(rig){secure, func(g rig) { g.clock.advance(14 * dayLong) }, secure, fails},
			Headline{"1 client cannot call", "Its TLS handshakes fail, so none of its calls arrives.", false},
		},
		"only one that leaves": {named(1), []func(rig){leaves}, Headline{"No client has made a call yet", "1 client leaves after each TLS handshake: see the table.", false}},
		"one leaves": {
			Settings{},
			[]func(rig){secure, leaves},
			Headline{"1 client may be unable to call", "Health checks leave after a TLS handshake, and so do clients that do not trust the certificate.", false},
		},
		"one cannot call, and one leaves": {
			Settings{},
			[]func(rig){secure, fails, leaves},
			Headline{"1 client cannot call", "Its TLS handshakes fail, so none of its calls arrives. 1 client may be unable to call: it leaves after each TLS handshake.", false},
		},
		"one leaves, one is insecure": {
			Settings{},
			[]func(rig){leaves, func(g rig) { g.request("old", plain("api.smsportal.com")) }},
			Headline{"1 client still needs tlslift", "1 of 1 active client still calls insecurely. 1 client may be unable to call: it leaves after each TLS handshake.", false},
		},
		"one cannot call, one is insecure": {
			Settings{},
			[]func(rig){fails, func(g rig) { g.request("old", plain("api.smsportal.com")) }},
			Headline{"1 client still needs tlslift", "1 of 1 active client still calls insecurely. 1 client cannot call: its TLS handshakes fail.", false},
		},
	} {
		g := newRig(c.settings)
		for _, do := range c.do {
			do(g)
		}
		s := g.Summary()
		if got := s.Headline(); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestFailing: a client fails if something keeps its calls from arriving, and that
// was seen lately. It has never called, or not since.
func TestFailing(t *testing.T) {
	t.Parallel()
	quit := func(v call.Version, handling call.Handling) call.Observation {
		return call.Observation{Ingress: call.Connect, Version: v, Handling: handling, Hello: offers(v), NoCall: true, Failure: call.HandshakeNoCall}
	}
	for name, c := range map[string]struct {
		seen call.Observation
		want bool
	}{
		"refused":                 {refused(call.Version11, call.HandshakeVersion), true},
		"distrusts the CA":        {refused(call.Version11, call.HandshakeClientRejectedCA), true},
		"distrusts SMSPortal":     {declined(call.Version13, call.HandshakeClientRejectedUpstream), true},
		"a scanner":               {quit(call.Version13, call.Spliced), false},
		"a scanner with old TLS":  {quit(call.Version10, call.Terminated), false},
		"not TLS":                 {call.Observation{Handling: call.Refused, Failure: call.HandshakeNotTLS}, false},
		"a client that gets in":   {spliced(), false},
		"a client on old TLS":     {ended(call.Version10), false},
		"no cipher in common":     {declined(call.Version12, call.HandshakeNoSharedCipher), true},
		"names no server":         {refused(call.Version12, call.HandshakeNoServerName), true},
		"capable, and cut short":  {refused(call.Version13, call.HandshakeTimeout), false},
		"capable, and fell back":  {fellBack(), true},
		"old, and nothing but it": {call.Observation{Hello: offers(call.Version10)}, false},
	} {
		g := newRig(Settings{})
		g.sight("c", c.seen)
		if got, s := g.row(t, "c"), g.Summary(); got.Failing != c.want || s.Failing != map[bool]int{true: 1}[c.want] {
			t.Errorf("%s: %t, %d counted; it is %s, %s", name, got.Failing, s.Failing, got.State, got.Verdict)
		}
		g.clock.advance(14 * dayLong)
		if g.row(t, "c").Failing {
			t.Errorf("%s: it still counts after 14 days", name)
		}
		for call, do := range map[string]func(rig){
			"in clear": func(g rig) { g.request("c", plain("api.smsportal.com")) },
			"over TLS": func(g rig) { g.sight("c", spliced()) },
		} {
			g := newRig(Settings{})
			do(g)
			g.clock.advance(time.Hour)
			g.sight("c", c.seen)
			row, s := g.row(t, "c"), g.Summary()
			if row.Failing != c.want || s.Failing != map[bool]int{true: 1}[c.want] || row.Failing && (row.State == Migrated || row.MigratedBy != "" || s.Headline().Done) {
				t.Errorf("%s, called %s before: %t, %d counted; it is %s, %s", name, call, row.Failing, s.Failing, row.State, row.Verdict)
			}
			do(g)
			if g.row(t, "c").Failing {
				t.Errorf("%s, called %s after: it still counts", name, call)
			}
		}
	}
	rows := []Row{
		{State: Insecure, Failing: true},
		{State: NoCalls, Failing: true},
		{State: Insecure, Regressed: true},
		{State: Mixed, Regressed: true},
		{State: Insecure},
		{State: Mixed},
		{State: Silent},
		{State: NoCalls},
	}
	for i := range rows[1:] {
		if CompareUrgency(&rows[i], &rows[i+1]) >= 0 {
			t.Errorf("%s, failing %t, does not come before %s", rows[i].State, rows[i].Failing, rows[i+1].State)
		}
	}
}

// fellBack is a client that offers less than it can, says so, and is refused.
func fellBack() call.Observation {
	s := refused(call.Version11, call.HandshakeVersion)
	s.Hello.Fallback = true
	return s
}

// A client that fell back is down, and its advice is the log's, whatever else
// was seen of it.
func TestARefusedFallbackHasItsAdvice(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	g.sight("c", spliced())
	if r := g.row(t, "c"); r.Failing || !strings.HasPrefix(r.Fix, "Remove") && !strings.HasPrefix(r.Fix, "Let it") {
		t.Errorf("before: %t, %s", r.Failing, r.Fix)
	}
	g.clock.advance(time.Hour)
	g.sight("c", fellBack())
	r := g.row(t, "c")
	if r.Verdict != Capable || !r.Failing || r.State != Silent || r.FixKey != "fell-back" || !slices.Contains(r.FixPages, "drop-the-proxy") {
		t.Errorf("after: %s, %t, %s, %q, %q: %s", r.Verdict, r.Failing, r.State, r.FixKey, r.FixPages, r.Fix)
	}
	if r.Stand(g.clock.now(), 14*dayLong); !r.Failing {
		t.Error("over a fleet it does not fail")
	}
	g.clock.advance(time.Second)
	g.sight("c", refused(call.Version13, call.HandshakeTimeout))
	if r := g.row(t, "c"); r.Failing {
		t.Error("it fails though its newest hello is a modern one")
	}
}

// TestOneOfManyFails: a client with several machines calls all the time, so it can
// call, whatever one of them does. Once none of them has called for a while it
// cannot.
func TestOneOfManyFails(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	for range 5 {
		g.request("c", plain("api.smsportal.com"))
		g.clock.advance(time.Second)
		g.sight("c", refused(call.Version11, call.HandshakeClientRejectedCA))
		if g.row(t, "c").Failing {
			t.Fatal("it fails between two calls")
		}
		g.clock.advance(time.Minute)
	}
	g.clock.advance(9 * time.Minute)
	if !g.row(t, "c").Failing {
		t.Error("it does not fail 10 minutes after its last call")
	}
}
