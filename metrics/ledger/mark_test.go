package ledger

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// agent is a request with a User-Agent.
func agent(userAgent string) call.Outcome {
	o := plain("api.smsportal.com")
	o.UserAgent = userAgent
	return o
}

// speaks is a spliced connection with a call, by a library.
func speaks(library string) call.Observation {
	s := spliced()
	s.Hello = &call.Offer{Max: call.Version13, Library: library, JA4: "t13d_" + library}
	return s
}

// The hello that a verdict is about need not be of the program that called last. With
// several programs behind a name, the advice is for the library, and for the program
// only if there was no hello.
func TestAdviceForSeveralPrograms(t *testing.T) {
	t.Parallel()
	rejects := declined(call.Version13, call.HandshakeClientRejectedUpstream)
	rejects.Hello.Library = "OpenSSL 1.1.0 or later"
	for name, c := range map[string]struct {
		rejects      bool
		agents       []string
		runtime, key string
	}{
		"several":           {true, []string{"Python-urllib/2.7", "Java/1.7.0", "Python-urllib/2.7", "Java/1.7.0"}, "OpenSSL 1.1.0 or later", "distrusts-upstream/openssl-11"},
		"several, in clear": {false, []string{"Python-urllib/2.7", "Java/1.7.0", "Python-urllib/2.7", "Java/1.7.0"}, "Java 7", "plaintext/java-7"},
		"one":               {true, []string{"Java/1.7.0", "Java/1.7.0"}, "Java 7, OpenSSL 1.1.0 or later", "distrusts-upstream/java-7/openssl-11"},
	} {
		g := newRig(Settings{})
		if c.rejects {
			g.sight("erp", rejects)
		}
		for _, a := range c.agents {
			g.request("erp", agent(a))
		}
		r := g.row(t, "erp")
		if r.Runtime() != c.runtime || r.FixKey != c.key {
			t.Errorf("%s: for %s (%s), want %s", name, r.Runtime(), r.FixKey, c.runtime)
		}
	}
}

// Several programs are two runtimes or libraries of which each came back after
// the other. One that was changed, tried once or rolled back is none, nor is one
// that shows several families of its runtime, or several fingerprints.
func TestSeveralPrograms(t *testing.T) {
	t.Parallel()
	const java6, axis, python, php, faked, own = "Java/1.6.0_45", "Axis/1.4", "Python-urllib/2.7", "PHP-SOAP/5.3", "Mozilla/5.0 (X11)", "Erp/1.0"
	unheard := speaks("GnuTLS 3.x")
	unheard.NoCall, unheard.Failure = true, call.HandshakeNoCall
	for _, c := range []struct {
		name  string
		shows []any // a User-Agent, a library's connection, or how long nothing happens
		want  bool
	}{
		{"one", []any{java6, java6, java6}, false},
		{"two that take turns", []any{java6, python, java6, python}, true},
		{"a change", []any{java6, java6, python, python}, false},
		{"a change that is rolled back", []any{java6, python, python, java6}, false},
		{"one that is tried once", []any{java6, java6, python, java6, java6}, false},
		{"one that fetches the WSDL as its runtime", []any{java6, axis, java6, axis, java6}, false},
		{"one that sends a User-Agent now and then", []any{php, "", php, "", php}, false},
		{"one that says it is a browser", []any{php, faked, php, faked, php}, false},
		{"words of its own", []any{php, own, php, own, php}, false},
		{"two that took turns long ago", []any{java6, python, java6, python, 14 * dayLong, java6}, false},
		{"two that take turns, silent since", []any{java6, python, java6, python, 40 * dayLong}, true},
		{"two libraries", []any{speaks("OpenSSL 1.0.x"), speaks("GnuTLS 3.x"), speaks("OpenSSL 1.0.x"), speaks("GnuTLS 3.x")}, true},
		{"one library, changed in part", []any{speaks("OpenSSL 1.0.x"), speaks("OpenSSL 1.1.0 or later"), speaks("OpenSSL 1.0.x"), speaks("OpenSSL 1.1.0 or later")}, false},
		{"one whose library is guessed from two places", []any{speaks("Java 8"), speaks("Android 4.x"), speaks("Java 8"), speaks("Android 4.x")}, false},
		{"a scanner between", []any{speaks("OpenSSL 1.0.x"), unheard, speaks("OpenSSL 1.0.x"), unheard, speaks("OpenSSL 1.0.x")}, false},
		{"a library that is not known", []any{speaks("OpenSSL 1.0.x"), speaks(""), speaks("OpenSSL 1.0.x"), speaks("")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newRig(Settings{Clients: []Configured{{Name: "erp"}}})
			for _, what := range c.shows {
				switch what := what.(type) {
				case string:
					g.request("erp", agent(what))
				case call.Observation:
					g.sight("erp", what)
				case time.Duration:
					g.clock.advance(what)
				}
			}
			if r := g.row(t, "erp"); r.SeveralPrograms != c.want {
				t.Errorf("%t, behind it %+v", r.SeveralPrograms, r.Behind)
			}
		})
	}
}

// Addresses, accounts and fingerprints are kept and shown, the newest eight of
// each, over restarts too. Several of them are no several programs.
func TestBehindAName(t *testing.T) {
	t.Parallel()
	options, settings := Options{File: filepath.Join(t.TempDir(), "ledger.json")}, Settings{Clients: []Configured{{Name: "erp"}}}
	g := newRigIn(options, settings)
	for round := range 2 {
		for i := range 12 {
			g.clock.advance(time.Second)
			o := agent("Java/1.6.0_45")
			o.Kind, o.End = call.Request, g.clock.now()
			o.Client = call.Identity{Name: "erp", Source: call.SourceListener, Configured: true, Address: fmt.Sprint("10.0.0.", i), Account: fmt.Sprint("acme", i%2)}
			o.Offer = &call.Offer{Max: call.Version10, JA4: fmt.Sprint("t10d", i), Library: "Java 6 or older"}
			g.Record(&o)
		}
		if round == 0 {
			if err := g.Close(); err != nil {
				t.Fatal(err)
			}
			g = rigAt(g.clock, options, settings)
		}
	}
	defer g.Close()
	r := g.row(t, "erp")
	b := r.Behind
	if len(b.Addresses) != maxMarks || len(b.JA4s) != maxMarks || len(b.Accounts) != 2 || len(b.UserAgents) != 1 || len(b.Libraries) != 1 {
		t.Fatalf("behind it %+v", b)
	}
	if want := (Shown{"10.0.0.11", 1, g.clock.now().UTC()}); b.Addresses[0] != want || b.Addresses[7].Name != "10.0.0.4" || b.JA4s[0].Name != "t10d11" || r.JA4 != "t10d11" {
		t.Errorf("newest first: %+v", b)
	}
	if a := b.Accounts[0]; a.Name != "acme1" || a.Count != 12 || b.UserAgents[0].Count != 24 || b.Libraries[0].Count != 24 {
		t.Errorf("counts: %+v", b)
	}
	if r.SeveralPrograms {
		t.Error("it is flagged")
	}
}

// What a client is called by is not shown behind its name.
func TestANameIsNotBehindItself(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	for _, id := range []call.Identity{
		{Name: "10.0.0.1", Source: call.SourceAddress, Address: "10.0.0.1"},
		{Name: "acme", Source: call.SourceAccount, Address: "10.0.0.1", Account: "acme"},
	} {
		o := agent("Java/1.6.0_45")
		o.Kind, o.Client, o.End = call.Request, id, g.clock.now()
		g.Record(&o)
	}
	if b := g.row(t, "10.0.0.1").Behind; len(b.Addresses)+len(b.Accounts) != 0 {
		t.Errorf("behind the address %+v", b)
	}
	if b := g.row(t, "acme").Behind; len(b.Accounts) != 0 || len(b.Addresses) != 1 {
		t.Errorf("behind the account %+v", b)
	}
}

// A hello that turns out to be another client's leaves nothing behind.
func TestAWithdrawnHelloIsNotBehindTheName(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	const address = "10.0.0.1"
	hello := &call.Offer{Max: call.Version10, JA4: "t10d", Library: "Java 6 or older"}
	g.request(address, agent("PHP/5.3"))
	g.sight(address, call.Observation{Ingress: call.Connect, Early: true, NoCall: true, Hello: hello})
	o := terminated(call.Version10)
	o.Kind, o.Client, o.End, o.Offer = call.Request, call.Identity{Name: "acme", Source: call.SourceAccount, Address: address}, g.clock.now(), hello
	o.Observation = &call.Observation{Ours: true, Ingress: call.Connect, Handling: call.Terminated, Version: call.Version10, Hello: hello, FormerName: address}
	g.Record(&o)
	if b := g.row(t, address).Behind; len(b.JA4s)+len(b.Libraries) != 0 {
		t.Errorf("behind the address %+v", b)
	}
	if r := g.row(t, address); r.Verdict != Plaintext || r.Library != "" || r.HighestOffered != "" {
		t.Errorf("the address has what the hello showed: %+v", r)
	}
	if b := g.row(t, "acme").Behind; len(b.JA4s) != 1 || len(b.Libraries) != 1 {
		t.Errorf("behind the account %+v", b)
	}

	// What its own calls over TLS 1.0 showed stays.
	own := terminated(call.Version10)
	own.Offer = hello
	g.request(address, own)
	g.sight(address, call.Observation{Ingress: call.Connect, Early: true, NoCall: true, Hello: hello})
	o.End = g.clock.now()
	g.Record(&o)
	if r := g.row(t, address); r.Verdict != LegacyOnly || r.HighestOffered != "1.0" {
		t.Errorf("the address lost what its calls showed: %+v", r)
	}
}

// Nothing is kept of a client without a row.
func TestNobodyIsKeptBehindOverflow(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Track: 1})
	for i := range 9 {
		o := agent([]string{"Java/1.6.0_45", "PHP/5.3"}[i%2])
		o.Kind, o.End = call.Request, g.clock.now()
		o.Client = call.Identity{Name: fmt.Sprint("client", i), Source: call.SourceAccount, Address: fmt.Sprint("10.0.0.", i)}
		g.Record(&o)
	}
	if r := g.row(t, call.LabelOverflow); len(r.Behind.Addresses) != 0 || r.SeveralPrograms {
		t.Errorf("%+v", r)
	}
}

// TestAWithdrawnHelloLeavesTheRest: what another hello of the client showed stays, and
// a row of refused calls alone goes, or is unseen again.
func TestAWithdrawnHelloLeavesTheRest(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{Clients: []Configured{{Name: "named"}}})
	old := &call.Offer{Max: call.Version10, JA4: "t10d", Library: "Java 6 or older"}
	denied := foreign()
	denied.Label, denied.Reason = call.LabelDenied, problem.Host
	for _, name := range []string{"modern", "refused", "named"} {
		if name == "modern" {
			g.sight(name, spliced())
		}
		g.sight(name, call.Observation{Ingress: call.Connect, Early: true, NoCall: true, Hello: old})
		if name != "modern" {
			g.request(name, denied)
		}
		o := terminated(call.Version10)
		o.Kind, o.Client, o.End, o.Offer = call.Request, call.Identity{Name: "acme", Source: call.SourceAccount}, g.clock.now(), old
		o.Observation = &call.Observation{Ours: true, Ingress: call.Connect, Handling: call.Terminated, Version: call.Version10, Hello: old, FormerName: name}
		g.Record(&o)
	}
	if r := g.row(t, "modern"); r.Verdict != Capable || r.HighestOffered != "1.3" || r.Library == old.Library {
		t.Errorf("the modern client has what the hello showed: %+v", r)
	}
	if r, ok := g.Row("refused"); ok {
		t.Errorf("a row is left: %+v", r)
	}
	if r := g.row(t, "named"); r.State != Unseen || r.Refused["host"] != 1 || r.LastRefused.IsZero() {
		t.Errorf("the configured one: %+v", r)
	}
}

// TestAWithdrawnHelloLeavesItsLike: what another hello of the same kind showed stays.
func TestAWithdrawnHelloLeavesItsLike(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]*call.Offer{
		"names-wrong-host": {Max: call.Version10, JA4: "t10d", SNI: true, WrongName: true},
		"capable":          {Max: call.Version10, JA4: "t10d", SNI: true, Fallback: true},
	} {
		g := newRig(Settings{})
		for range 2 {
			g.sight("both", call.Observation{Ours: true, Ingress: call.Connect, Early: true, NoCall: true, Hello: h})
		}
		before := *g.rows["both"]
		o := terminated(call.Version10)
		o.Kind, o.Client, o.End, o.Offer = call.Request, call.Identity{Name: "acme", Source: call.SourceAccount}, g.clock.now(), h
		o.Observation = &call.Observation{Ours: true, Ingress: call.Connect, Handling: call.Terminated, Version: call.Version10, Hello: h, FormerName: "both"}
		g.Record(&o)
		if r := g.rows["both"]; r.evidence != before.evidence || r.ja4 != "t10d" {
			t.Errorf("%s: the other hello shows %v and JA4 %q, both showed %v", name, r.evidence, r.ja4, before.evidence)
		}
	}
}
