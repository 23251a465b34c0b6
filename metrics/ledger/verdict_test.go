package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// script is what a test does to a ledger as one client, in order.
type script struct {
	rig
	client string
}

func (s script) asks(o call.Outcome)      { s.request(s.client, o) }
func (s script) shows(v call.Observation) { s.sight(s.client, v) }
func (s script) wait(d time.Duration)     { s.clock.advance(d) }

// hangsUp leaves a handshake with us without a word, having seen the
// certificate.
func (s script) hangsUp() {
	v := refused(call.Version10, call.HandshakeEOF)
	v.NoAlert = true
	s.shows(v)
}

// leaves ends a connection after the handshake with us, without a call.
func (s script) leaves() {
	v := ended(call.Version10)
	v.NoCall, v.NoAlert, v.Failure = true, true, call.HandshakeNoCall
	s.shows(v)
}

// outOf is a handshake of a client that nobody can agree with.
func outOf(v call.Version) call.Observation {
	s := refused(v, call.HandshakeNoSharedCipher)
	s.Hello.ShutOut = true
	return s
}

// misnaming is a spliced connection whose hello names another host.
func misnaming() call.Observation {
	s := spliced()
	s.Hello.SNI, s.Hello.WrongName = true, true
	return s
}

// TestSuspected: a client is told that it may distrust a certificate, and not that it
// does, if it only ever left after the handshake.
func TestSuspected(t *testing.T) {
	t.Parallel()
	upstream := declined(call.Version13, call.HandshakeNoCall)
	upstream.NoAlert = true
	for name, c := range map[string]struct {
		do   func(script)
		want bool
	}{
		"leaves us":                     {func(s script) { s.leaves() }, true},
		"leaves the upstream":           {func(s script) { s.shows(upstream) }, true},
		"hangs up":                      {func(s script) { s.hangsUp() }, false},
		"leaves, and hung up once":      {func(s script) { s.hangsUp(); s.leaves() }, false},
		"rejects":                       {func(s script) { s.shows(refused(call.Version10, call.HandshakeClientRejectedCA)) }, false},
		"leaves, and rejected once":     {func(s script) { s.shows(refused(call.Version10, call.HandshakeClientRejectedCA)); s.leaves() }, false},
		"leaves, and is otherwise fine": {func(s script) { s.shows(ended(call.Version10)); s.leaves() }, false},
	} {
		g := newRig(Settings{})
		c.do(script{g, "c"})
		g.clock.advance(time.Hour)
		r, s := g.row(t, "c"), g.Summary()
		if r.Suspected != c.want || r.Failing && (s.Suspected == 1) != c.want || strings.Contains(r.Fix, "may not trust") != c.want {
			t.Errorf("%s: %t, %d, %s", name, r.Suspected, s.Suspected, r.Fix)
		}
	}
	if OnlySilence(DistrustsCA, func(call.HandshakeFailure) bool { return false }) {
		t.Error("one that nothing is counted of has left") // after a restart, what remains is the verdict
	}
}

// TestAdvice: what is said fits how the client stands, not its verdict alone.
func TestAdvice(t *testing.T) {
	t.Parallel()
	framed := declined(call.Version12, call.HandshakeSSLv2Hello)
	framed.Hello.SSLv2, framed.Hello.Library = true, "Java"
	fallback := refused(call.Version11, call.HandshakeVersion)
	fallback.Hello.Fallback = true
	for name, c := range map[string]struct {
		do   func(script)
		want string
	}{
		"a hello in SSLv2 format that offers TLS 1.2": {func(s script) { s.shows(framed) }, "It offers TLS 1.2, but its hello has the SSL 2.0 format"},
		"the library is that of the hello in that format": {func(s script) {
			s.shows(framed)
			v := ended(call.Version10)
			v.Hello.Library = "OpenSSL 1.1.0 or later"
			s.shows(v)
		}, "Its hello has the SSL 2.0 format, which modern servers refuse. Java "},
		"old and modern": {func(s script) {
			s.shows(ended(call.Version10))
			s.shows(spliced())
		}, "Part of it offers at most TLS 1.0."},
		"fell back":           {func(s script) { s.shows(fallback) }, "It can speak TLS 1.2, fell back to an older version"},
		"fell back, long ago": {func(s script) { s.shows(fallback); s.wait(30 * 24 * time.Hour) }, "It can speak TLS 1.2, fell back to an older version"},
		"never calls":         {func(s script) { s.shows(declined(call.Version13, call.HandshakeOther)) }, "Nothing to change if it is a scanner or a health check, which connects and never makes a call. If it is an application, the log lines"},
		"modern, terminated from its first call on": {func(s script) {
			s.shows(ended(call.Version12))
			o := terminated(call.Version12)
			o.Upgraded = true
			s.asks(o)
		}, "It offers TLS 1.2, but tlslift terminates its TLS (legacy_tls.terminate_clients)"},
		"modern, terminated at first": {func(s script) {
			o := terminated(call.Version12)
			o.Upgraded = true
			s.shows(ended(call.Version12))
			s.asks(o)
			s.wait(time.Hour)
			s.shows(spliced())
		}, "It can speak TLS 1.2 already"},
		"a hello in SSLv2 format, an old one, then modern": {func(s script) {
			v := ended(call.Version10)
			v.Hello.SSLv2 = true
			s.shows(v)
			s.asks(terminated(call.Version10))
			s.wait(time.Minute)
			old := ended(call.Version10)
			old.NoCall, old.Failure = true, call.HandshakeNoCall
			s.shows(old)
			s.wait(time.Minute)
			s.shows(spliced())
		}, "Its hello has the SSL 2.0 format"},
		"rejected our CA, then modern": {func(s script) {
			s.shows(refused(call.Version10, call.HandshakeClientRejectedCA))
			s.shows(spliced())
		}, "Remove "},
	} {
		g := newRig(Settings{})
		c.do(script{g, "c"})
		g.clock.advance(time.Hour)
		if r := g.row(t, "c"); !strings.HasPrefix(r.Fix, c.want) {
			t.Errorf("%s: %s, %s: %s", name, r.State, r.Verdict, r.Fix)
		}
	}
}

func TestVerdictAndState(t *testing.T) {
	t.Parallel()
	sslv2 := ended(call.Version10)
	sslv2.Hello = &call.Offer{Max: call.Version10, SSLv2: true}
	fallback := refused(call.Version10, call.HandshakeVersion)
	fallback.Hello = &call.Offer{Max: call.Version10, Fallback: true}
	for _, c := range []struct {
		name    string
		do      func(script)
		verdict Verdict
		state   State
	}{
		{"plain HTTP", func(s script) { s.asks(plain("a")) }, Plaintext, Insecure},
		{"an old hello, terminated", func(s script) {
			s.shows(ended(call.Version10))
			s.asks(terminated(call.Version10))
		}, LegacyOnly, Insecure},
		{"an old hello, refused", func(s script) { s.shows(refused(call.Version10, call.HandshakeVersion)) }, LegacyOnly, NoCalls},
		{"SSLv2 framing", func(s script) {
			s.shows(sslv2)
			s.asks(terminated(call.Version10))
		}, SSLv2Framed, Insecure},
		{"SSLv2 framing, refused by the upstream", func(s script) {
			v := declined(call.Version12, call.HandshakeSSLv2Hello)
			v.Hello.SSLv2 = true
			s.shows(v)
		}, SSLv2Framed, NoCalls},
		{"modern, spliced", func(s script) { s.shows(spliced()) }, Capable, Migrated},
		{"modern hello beside plain HTTP", func(s script) {
			s.asks(plain("a"))
			s.shows(spliced())
		}, Capable, Mixed},
		{"a fallback hello", func(s script) { s.shows(fallback) }, Capable, NoCalls},
		{"rejects our CA", func(s script) { s.shows(refused(call.Version10, call.HandshakeClientRejectedCA)) }, DistrustsCA, NoCalls},
		{"rejects our CA once it is in", func(s script) {
			v := ended(call.Version10)
			v.NoCall, v.Failure = true, call.HandshakeClientRejectedCA
			s.shows(v)
		}, DistrustsCA, NoCalls},
		{"rejected our CA, now trusts it", func(s script) {
			s.shows(refused(call.Version10, call.HandshakeClientRejectedCA))
			s.shows(ended(call.Version10))
		}, LegacyOnly, Insecure},
		{"rejected our CA, then modern", func(s script) {
			s.shows(refused(call.Version10, call.HandshakeClientRejectedCA))
			s.shows(spliced())
		}, Capable, Migrated},
		{"SSLv2 framing, refused by the upstream, then modern", func(s script) {
			v := declined(call.Version12, call.HandshakeSSLv2Hello)
			v.Hello.SSLv2 = true
			s.shows(v)
			s.shows(spliced())
		}, Capable, Migrated},
		{"an old hello with calls, then modern", func(s script) {
			s.shows(ended(call.Version10))
			s.asks(terminated(call.Version10))
			s.wait(time.Minute)
			s.shows(spliced())
		}, LegacyOnly, Mixed},
		{"a program that rejects our CA beside a modern one", func(s script) {
			for range 3 {
				s.shows(refused(call.Version10, call.HandshakeClientRejectedCA))
				s.wait(time.Minute)
				s.shows(spliced())
				s.wait(time.Minute)
			}
		}, DistrustsCA, Migrated},
		{"modern, terminated for a while without trusting our CA, and spliced again", func(s script) {
			s.shows(spliced())
			s.wait(time.Minute)
			s.shows(refused(call.Version12, call.HandshakeClientRejectedCA))
			s.wait(time.Minute)
			s.shows(spliced())
		}, Capable, Migrated},
		{"the same, and an old program that does not trust our CA", func(s script) {
			s.shows(spliced())
			s.wait(time.Minute)
			s.shows(refused(call.Version12, call.HandshakeClientRejectedCA))
			s.shows(refused(call.Version10, call.HandshakeClientRejectedCA))
			s.wait(time.Minute)
			s.shows(spliced())
		}, DistrustsCA, Migrated},
		{"modern, then an old hello that is refused", func(s script) {
			s.shows(spliced())
			s.wait(time.Minute)
			s.shows(refused(call.Version10, call.HandshakeClientRejectedCA))
		}, DistrustsCA, Migrated},
		{"hung up at our certificate and never got in", func(s script) { s.hangsUp() }, DistrustsCA, NoCalls},
		{"hung up at our certificate, then got in", func(s script) {
			s.hangsUp()
			s.shows(ended(call.Version10))
			s.hangsUp()
		}, LegacyOnly, Insecure},
		{"left after the handshake with us and never got in", func(s script) { s.leaves() }, DistrustsCA, NoCalls},
		{"left after the handshake with us, then got in", func(s script) {
			s.leaves()
			s.shows(ended(call.Version10))
			s.leaves()
		}, LegacyOnly, Insecure},
		{"hung up before it saw a certificate", func(s script) { s.shows(refused(call.Version10, call.HandshakeEOF)) }, LegacyOnly, NoCalls},
		{"rejects the upstream's certificate", func(s script) {
			s.shows(spliced())
			s.shows(declined(call.Version12, call.HandshakeClientRejectedUpstream))
		}, DistrustsUpstream, Migrated},
		{"rejects the upstream's certificate, and nothing else", func(s script) {
			s.shows(declined(call.Version13, call.HandshakeClientRejectedUpstream))
		}, DistrustsUpstream, NoCalls},
		{"leaves at the upstream's certificate without a word", func(s script) {
			v := declined(call.Version13, call.HandshakeNoCall)
			v.NoAlert = true
			s.shows(v)
		}, DistrustsUpstream, NoCalls},
		{"leaves without a word though it got through before", func(s script) {
			v := declined(call.Version13, call.HandshakeNoCall)
			v.NoAlert = true
			s.shows(spliced())
			s.shows(v)
		}, Capable, Migrated},
		{"takes its leave after the handshake", func(s script) { s.shows(declined(call.Version13, call.HandshakeNoCall)) }, Capable, NoCalls},
		{"nothing but a hello so far", func(s script) {
			s.shows(call.Observation{Ingress: call.Connect, NoCall: true, Early: true, Hello: offers(call.Version10)})
		}, LegacyOnly, NoCalls},
		{"shares no suite with the upstream", func(s script) { s.shows(declined(call.Version12, call.HandshakeNoSharedCipher)) }, NoSharedCipher, NoCalls},
		{"shares no suite, offers 1.0", func(s script) { s.shows(refused(call.Version10, call.HandshakeNoSharedCipher)) }, LegacyOnly, NoCalls},
		{"changed from legacy to modern a while ago", func(s script) {
			s.shows(ended(call.Version10))
			s.wait(15 * dayLong)
			s.shows(spliced())
		}, Capable, Migrated},
		{"changed N days ago to the second", func(s script) {
			s.shows(ended(call.Version10))
			s.wait(14 * dayLong)
			s.shows(spliced())
		}, Capable, Migrated},
		{"changed yesterday: the old part may still be there", func(s script) {
			s.shows(ended(call.Version10))
			s.wait(dayLong)
			s.shows(spliced())
		}, LegacyOnly, Mixed},
		{"silent keeps its verdict", func(s script) {
			s.shows(ended(call.Version10))
			s.wait(100 * dayLong)
		}, LegacyOnly, Silent},
		{"SSL 3.0 alone: shut out", func(s script) { s.shows(outOf(call.VersionSSL3)) }, ShutOut, NoCalls},
		{"export ciphers alone: shut out", func(s script) { s.shows(outOf(call.Version10)) }, ShutOut, NoCalls},
		{"shut out, and calls http now: up, and still old", func(s script) {
			s.shows(outOf(call.Version10))
			s.shows(call.Observation{Handling: call.Plain})
			s.asks(plain("a"))
		}, LegacyOnly, Insecure},
		{"shut out, then with another list of ciphers", func(s script) {
			s.shows(outOf(call.Version10))
			s.shows(ended(call.Version10))
		}, LegacyOnly, Insecure},
		{"DHE alone at TLS 1.2, refused by the upstream", func(s script) {
			v := declined(call.Version12, call.HandshakeNoSharedCipher)
			v.Hello.ShutOut = true
			s.shows(v)
		}, ShutOut, NoCalls},
		{"names no server", func(s script) { s.shows(refused(call.Version12, call.HandshakeNoServerName)) }, NoServerName, NoCalls},
		{"named no server, names one now", func(s script) {
			s.shows(refused(call.Version12, call.HandshakeNoServerName))
			s.shows(spliced())
		}, Capable, Migrated},
		{"names localhost", func(s script) { s.shows(misnaming()) }, NamesWrongHost, Migrated},
		{"names localhost, and rejects the certificate that it got for it", func(s script) {
			v := declined(call.Version12, call.HandshakeClientRejectedUpstream)
			v.Hello.SNI, v.Hello.WrongName = true, true
			s.shows(v)
		}, NamesWrongHost, NoCalls},
		{"names localhost over old TLS: its age comes first", func(s script) {
			v := ended(call.Version10)
			v.Hello.SNI, v.Hello.WrongName = true, true
			s.shows(v)
		}, LegacyOnly, Insecure},
		{"named localhost, names the host now", func(s script) {
			s.shows(misnaming())
			v := spliced()
			v.Hello.SNI = true
			s.shows(v)
		}, Capable, Migrated},
		{"a scanner's garbage is no sign of anything", func(s script) {
			s.shows(call.Observation{Handling: call.Refused, NoCall: true, Failure: call.HandshakeNotTLS})
		}, NoVerdict, NoCalls},
	} {
		s := script{newRig(Settings{}), "10.0.0.1"}
		c.do(s)
		got := s.row(t, "10.0.0.1")
		if got.Verdict != c.verdict || got.State != c.state {
			t.Errorf("%s: %q and %s, want %q and %s", c.name, got.Verdict, got.State, c.verdict, c.state)
		}
	}
}

func TestVerdictAfterADeclaration(t *testing.T) {
	t.Parallel()
	s := script{newRig(Settings{Clients: []Configured{{Name: "billing", Migrated: epoch.Add(2 * dayLong)}}}), "billing"}
	s.shows(ended(call.Version10))
	s.wait(3 * dayLong)
	if r := s.row(t, "billing"); r.State != Migrated || r.Regressed || r.Verdict != LegacyOnly {
		t.Errorf("declared and quiet: %s, regressed %t, %q", r.State, r.Regressed, r.Verdict)
	}
	s.shows(spliced())
	if r := s.row(t, "billing"); r.State != Migrated || r.Verdict != Capable {
		t.Errorf("declared and modern: %s, %q; what came before the declaration is forgiven", r.State, r.Verdict)
	}
	s.asks(plain("a"))
	if r := s.row(t, "billing"); r.State != Mixed || !r.Regressed {
		t.Errorf("declared and insecure again: %s, regressed %t", r.State, r.Regressed)
	}
}

func TestForeignTrafficHasNoRow(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{LabelLimit: 10})
	g.request("10.0.0.1", foreign())
	g.Record(&call.Outcome{Client: named("10.0.0.2"), End: epoch, Observation: &call.Observation{
		Ingress: call.Connect, Handling: call.Tunnelled, Hello: offers(call.Version10), Failure: call.HandshakeVersion,
	}})
	g.Record(&call.Outcome{Kind: call.Tunnel, Client: named("10.0.0.3"), End: epoch, Ours: true})
	connect := plain("a")
	connect.Method = "CONNECT"
	g.request("10.0.0.4", connect)
	if rows := g.Snapshot(); len(rows) != 0 {
		t.Errorf("foreign traffic left %d rows: %+v", len(rows), rows)
	}
	if _, ok := g.Row("10.0.0.1"); ok || g.Stats().Tracked != 0 {
		t.Errorf("foreign traffic is tracked: %+v", g.Stats())
	}
	// A tunnel to one of ours that is passed on unread shows no call.
	g.sight("10.0.0.1", call.Observation{Ingress: call.Connect, Handling: call.Tunnelled})
	if r := g.row(t, "10.0.0.1"); r.State != NoCalls || len(r.Connections) != 0 {
		t.Errorf("a tunnel unread: %+v", r)
	}
}

// The library beside a verdict is that of the hello that the verdict is about;
// the program is the User-Agent's. Neither stands in for the other.
func TestTheLibraryFitsTheVerdict(t *testing.T) {
	t.Parallel()
	s := script{newRig(Settings{}), "a"}
	want := func(verdict Verdict, library, program string) {
		t.Helper()
		if r := s.row(t, "a"); r.Verdict != verdict || r.Library != library || r.Program != program {
			t.Errorf("%q by %q in %q, want %q by %q in %q", r.Verdict, r.Library, r.Program, verdict, library, program)
		}
	}
	modern, unknown := spliced(), spliced()
	modern.NoCall, unknown.NoCall = true, true
	modern.Hello = &call.Offer{Max: call.Version13, Library: "OpenSSL 1.1.0 or later"}
	old, oldUnknown := ended(call.Version10), ended(call.Version10)
	old.Hello.Library = "OpenSSL 0.9.8 or older"
	s.shows(oldUnknown)
	want(LegacyOnly, "", "")
	o := plain("h")
	o.UserAgent = "PHP/5.3"
	s.asks(o)
	want(LegacyOnly, "", "PHP")
	s.shows(modern)
	want(LegacyOnly, "", "PHP")
	s.shows(old)
	want(LegacyOnly, "OpenSSL 0.9.8 or older", "PHP")
	if r := s.row(t, "a"); !slices.Equal(r.FixPages, []string{"php", "curl-openssl"}) || r.FixKey != "legacy-only/php/openssl-098" {
		t.Errorf("pages %q, key %q", r.FixPages, r.FixKey)
	}
	s.shows(unknown)
	want(LegacyOnly, "OpenSSL 0.9.8 or older", "PHP")
	s.wait(20 * dayLong)
	s.shows(unknown)
	want(Capable, "OpenSSL 1.1.0 or later", "PHP")
}

// To send no User-Agent is a sign too, once there was a request.
func TestNoUserAgent(t *testing.T) {
	t.Parallel()
	s := script{newRig(Settings{}), "a"}
	s.shows(ended(call.Version10))
	if r := s.row(t, "a"); r.Program != "" {
		t.Errorf("without a request the program is %q", r.Program)
	}
	s.asks(terminated(call.Version10))
	if r := s.row(t, "a"); r.Program != "none" || !slices.Contains(r.FixPages, "no-user-agent") {
		t.Errorf("the program is %q, the pages are %q", r.Program, r.FixPages)
	}
}
