package ledger

import (
	"testing"
	"time"

	"tlslift/proxy/call"
)

// script is what a test does to a ledger, in order.
type script struct {
	ledger *Ledger
	clock  *testClock
	client Client
}

func (s script) request(o RequestObs)       { s.ledger.Request(s.client, o) }
func (s script) connection(o ConnectionObs) { s.ledger.Connection(s.client, o) }
func (s script) hello(o HelloObs)           { s.ledger.Hello(s.client, o) }
func (s script) wait(d time.Duration)       { s.clock.advance(d) }
func (s script) failure(reason string, offered call.Version, upstream bool) {
	s.ledger.HandshakeFailure(s.client, FailureObs{Ours: true, Reason: reason, Offered: offered, Upstream: upstream})
}

func (s script) hungUp() {
	s.ledger.HandshakeFailure(s.client, FailureObs{Ours: true, Reason: "eof", Offered: call.Version10, Shown: true})
}

func TestVerdictAndState(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		do      func(script)
		verdict Verdict
		state   State
	}{
		{"plain HTTP", func(s script) { s.request(plain("a")) }, Plaintext, Insecure},
		{"an old hello, terminated", func(s script) {
			s.hello(hello(call.Version10))
			s.connection(ConnectionObs{Ours: true, Version: call.Version10, Handling: call.Terminated})
			s.request(terminated(call.Version10))
		}, LegacyOnly, Insecure},
		{"an old hello, refused", func(s script) {
			s.hello(hello(call.Version10))
			s.failure("version", call.Version10, false)
		}, LegacyOnly, Insecure},
		{"SSLv2 framing", func(s script) {
			s.hello(HelloObs{Ours: true, Offered: call.Version10, SSLv2Framed: true})
			s.request(terminated(call.Version10))
		}, SSLv2Framed, Insecure},
		{"modern, spliced", func(s script) {
			s.hello(hello(call.Version13))
			s.connection(spliced())
		}, Capable, Migrated},
		{"modern hello beside plain HTTP", func(s script) {
			s.request(plain("a"))
			s.hello(hello(call.Version12))
			s.connection(spliced())
		}, Capable, Mixed},
		{"a fallback hello", func(s script) {
			s.hello(HelloObs{Ours: true, Offered: call.Version10, Fallback: true})
			s.ledger.HandshakeFailure(s.client, FailureObs{Ours: true, Reason: "version", Offered: call.Version10, Fallback: true})
		}, Capable, Unseen},
		{"rejects our CA", func(s script) {
			s.hello(hello(call.Version10))
			s.failure("client_rejected_ca", call.Version10, false)
		}, DistrustsCA, Insecure},
		{"rejected our CA, now trusts it", func(s script) {
			s.hello(hello(call.Version10))
			s.failure("client_rejected_ca", call.Version10, false)
			s.connection(ConnectionObs{Ours: true, Version: call.Version10, Handling: call.Terminated})
		}, LegacyOnly, Insecure},
		{"hung up at our certificate and never got in", func(s script) {
			s.hello(hello(call.Version10))
			s.hungUp()
		}, DistrustsCA, Insecure},
		{"hung up at our certificate, then got in", func(s script) {
			s.hello(hello(call.Version10))
			s.hungUp()
			s.connection(ConnectionObs{Ours: true, Version: call.Version10, Handling: call.Terminated})
			s.hungUp()
		}, LegacyOnly, Insecure},
		{"hung up before it saw a certificate", func(s script) {
			s.hello(hello(call.Version10))
			s.failure("eof", call.Version10, false)
		}, LegacyOnly, Insecure},
		{"rejects the upstream's certificate", func(s script) {
			s.hello(hello(call.Version12))
			s.connection(spliced())
			s.failure("client_rejected_ca", call.Version12, true)
		}, DistrustsUpstream, Migrated},
		{"shares no suite with the upstream", func(s script) {
			s.hello(hello(call.Version12))
			s.failure("no_shared_cipher", call.Version12, true)
		}, NoSharedCipher, Insecure},
		{"shares no suite, offers 1.0", func(s script) {
			s.hello(hello(call.Version10))
			s.failure("no_shared_cipher", call.Version10, false)
		}, LegacyOnly, Insecure},
		{"changed from legacy to modern a while ago", func(s script) {
			s.hello(hello(call.Version10))
			s.request(terminated(call.Version10))
			s.wait(15 * dayLong)
			s.hello(hello(call.Version13))
			s.connection(spliced())
		}, Capable, Migrated},
		{"changed N days ago to the second", func(s script) {
			s.request(terminated(call.Version10))
			s.hello(hello(call.Version10))
			s.wait(14 * dayLong)
			s.hello(hello(call.Version13))
			s.connection(spliced())
		}, Capable, Migrated},
		{"changed yesterday: the old part may still be there", func(s script) {
			s.hello(hello(call.Version10))
			s.request(terminated(call.Version10))
			s.wait(dayLong)
			s.hello(hello(call.Version13))
			s.connection(spliced())
		}, LegacyOnly, Mixed},
		{"silent keeps its verdict", func(s script) {
			s.hello(hello(call.Version10))
			s.request(terminated(call.Version10))
			s.wait(100 * dayLong)
		}, LegacyOnly, Silent},
		{"a scanner's garbage is no sign of anything", func(s script) {
			s.failure("not_tls", call.VersionNone, false)
		}, NoVerdict, Unseen},
	} {
		clock := newTestClock(epoch)
		s := script{New(Options{Clock: clock.now}), clock, addr("10.0.0.1")}
		c.do(s)
		got := mustRow(t, s.ledger, "10.0.0.1")
		if got.Verdict != c.verdict || got.State != c.state {
			t.Errorf("%s: %q and %s, want %q and %s", c.name, got.Verdict, got.State, c.verdict, c.state)
		}
	}
}

func TestVerdictAfterADeclaration(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	declared := epoch.Add(2 * dayLong)
	l := New(Options{Clock: clock.now, Clients: []Configured{{Name: "billing", Migrated: declared, Owner: "jane"}}})
	s := script{l, clock, Client{Name: "billing", Source: "name", Configured: true}}
	s.hello(hello(call.Version10))
	s.request(terminated(call.Version10))
	s.wait(3 * dayLong)
	if r := mustRow(t, l, "billing"); r.State != Migrated || r.Regressed || r.Verdict != LegacyOnly {
		t.Errorf("declared and quiet: %s, regressed %t, %q", r.State, r.Regressed, r.Verdict)
	}
	s.hello(hello(call.Version13))
	s.connection(spliced())
	if r := mustRow(t, l, "billing"); r.State != Migrated || r.Verdict != Capable {
		t.Errorf("declared and modern: %s, %q; what came before the declaration is forgiven", r.State, r.Verdict)
	}
	s.request(plain("a"))
	if r := mustRow(t, l, "billing"); r.State != Mixed || !r.Regressed || r.Owner != "jane" {
		t.Errorf("declared and insecure again: %s, regressed %t, owner %q", r.State, r.Regressed, r.Owner)
	}
}

func TestForeignTrafficIsNotTheLedgersBusiness(t *testing.T) {
	t.Parallel()
	l := New(Options{})
	c := addr("10.0.0.1")
	l.Request(c, RequestObs{Version: call.VersionNone})
	l.Connection(c, ConnectionObs{Handling: call.Tunnelled})
	l.Connection(c, ConnectionObs{Ours: true, Handling: call.Tunnelled})
	l.Hello(c, HelloObs{Offered: call.Version10})
	l.HandshakeFailure(c, FailureObs{Reason: "version", Offered: call.Version10})
	if rows := l.Snapshot(); len(rows) != 0 {
		t.Errorf("foreign traffic left %d rows", len(rows))
	}
}

// The library beside a verdict is that of what the verdict is about.
func TestTheLibraryFitsTheVerdict(t *testing.T) {
	t.Parallel()
	clock := newTestClock(epoch)
	s := script{New(Options{Clock: clock.now}), clock, addr("a")}
	want := func(verdict Verdict, library string) {
		t.Helper()
		if r := mustRow(t, s.ledger, "a"); r.Verdict != verdict || r.Library != library {
			t.Errorf("%q by %q, want %q by %q", r.Verdict, r.Library, verdict, library)
		}
	}
	o := plain("h")
	o.UserAgent = "Java/1.7.0_80"
	s.request(o)
	want(Plaintext, "Java 7")
	s.hello(HelloObs{Ours: true, Offered: call.Version10, Library: "OpenSSL 0.9.8"})
	want(LegacyOnly, "OpenSSL 0.9.8")
	s.hello(HelloObs{Ours: true, Offered: call.Version13, Library: "OpenSSL 3"})
	s.hello(hello(call.Version13))
	want(LegacyOnly, "OpenSSL 0.9.8")
	s.wait(20 * dayLong)
	s.hello(hello(call.Version13))
	want(Capable, "OpenSSL 3")
}
