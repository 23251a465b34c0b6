package report

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// act is one thing that a simulated client did.
type act struct {
	at       time.Time
	kind     actKind
	instance int
	runtime  *simRuntime
}

type actKind int

const (
	actPlain         actKind = iota // a request in clear
	actFallsBack                    // the same by an http URL of the host's own
	actLegacy                       // a TLS 1.0 hello, terminated, a request
	actSSLv2                        // the same in SSLv2 framing
	actInside                       // a request on another account's TLS 1.0 connection
	actModern                       // a TLS 1.3 hello, spliced, with a call
	actRefused                      // a TLS 1.0 hello, refused
	actRejectsCA                    // a TLS 1.0 hello, our certificate rejected
	actMuteAboutCA                  // the same, without a word
	actNoShared                     // a TLS 1.2 hello, the upstream refuses
	actDistrusts                    // a TLS 1.3 hello, the upstream's certificate rejected
	actMuteDistrusts                // the same, without a word
	actShutOut                      // an SSL 3.0 hello, refused
	actNameless                     // a TLS 1.2 hello without a name, refused
	actWrongName                    // a TLS 1.3 hello that names another host, its certificate rejected
	actScan                         // a TLS 1.3 handshake and no more
	actForeign                      // plain HTTP to another host
	numActs
)

func (k actKind) insecure() bool { return k <= actInside }

func (k actKind) secure() bool { return k == actModern }

func (k actKind) failed() bool { return k >= actRefused && k <= actWrongName }

func (k actKind) request() bool { return k <= actInside }

// simRuntime is what a client's program runs on.
type simRuntime struct {
	agent       string
	program     string // as rows have it
	old, modern string // TLS libraries of its old and its modern hellos; "" = not known
}

var (
	simJava = &simRuntime{"Java/1.6.0_45", "Java 6 or older", "Java 6 or older", "Java 8u261, 9 or later"}
	simPHP  = &simRuntime{"PHP-SOAP/5.3.3", "PHP SOAP", "OpenSSL 0.9.8 or older", "OpenSSL 1.1.0 or later"}
	simNet  = &simRuntime{
		"Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727)", ".NET 2-3.5",
		"SChannel Windows XP, Server 2003", "SChannel Windows 7 to 11 with TLS 1.2",
	}
	simSilent  = &simRuntime{"", "none", "", ""}
	simPartly  = &simRuntime{"Python-urllib/2.7", "Python urllib", "", "OpenSSL 1.1.0 or later"} // its old hello is not known
	simStrange = &simRuntime{"Erp/1.0", "", "OpenSSL 1.0.x", ""}
	simAll     = []*simRuntime{simJava, simPHP, simNet, simSilent, simPartly, simStrange}
)

// simKeys are what the parts of an advice's key are about.
var (
	programKeys = map[string]string{"Java 6 or older": "java-6", "PHP SOAP": "php", ".NET 2-3.5": "dotnet-2", "none": "nameless", "Python urllib": "python"}
	libraryKeys = map[string]string{
		"Java 6 or older": "java-6-tls", "Java 8u261, 9 or later": "java-9-tls", "OpenSSL 0.9.8 or older": "openssl-098", "OpenSSL 1.0.x": "openssl-10",
		"OpenSSL 1.1.0 or later": "openssl-11", "SChannel Windows XP, Server 2003": "schannel-xp", "SChannel Windows 7 to 11 with TLS 1.2": "schannel-12",
	}
)

// plan says what a client does on a day; nothing is silence.
type plan func(day int, r *rand.Rand) []actKind

type simClient struct {
	id       call.Identity
	named    bool // by the configuration
	passing  bool // it comes for one day
	plan     plan
	declared time.Time
	at       int // the instance; -1 = any
	runtimes []*simRuntime
	partner  *simClient // the account that calls on its connections too
	late     bool       // its account shows after its hello was handed over
	acts     []act
}

func always(kinds ...actKind) plan {
	return func(int, *rand.Rand) []actKind { return kinds }
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

// part does either, at random: some of its machines have changed.
func part(a, b actKind) plan {
	return func(_ int, r *rand.Rand) []actKind {
		return [][]actKind{{a}, {b}, {a, b}, nil}[r.IntN(4)]
	}
}

func simPopulation(r *rand.Rand, instances int) []*simClient {
	legacy := []actKind{
		actPlain, actPlain, actFallsBack, actLegacy, actLegacy, actSSLv2, actRefused, actRejectsCA, actMuteAboutCA, actNoShared, actShutOut, actNameless,
	}
	var clients []*simClient
	for i := range simClients {
		old, d := legacy[r.IntN(len(legacy))], 5+r.IntN(simDays-10)
		c := &simClient{named: i%4 == 0, at: r.IntN(instances+1) - 1, runtimes: simAll[i%len(simAll):][:1]}
		c.id = call.Identity{Name: fmt.Sprintf("client-%03d", i), Source: call.SourceName, Address: fmt.Sprintf("10.7.0.%d", i)}
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
			c.declared = simStart.Add(time.Duration(d) * dayLong)
			c.plan = until(d, always(old), until(d+10, nothing, [2]plan{nothing, monthly(old, 3)}[i/10%2]))
		case 9:
			c.plan = [...]plan{
				nothing, always(actForeign), always(actModern), weekdays(actScan), always(actDistrusts),
				until(d, always(actDistrusts), always(actModern)),
				until(d, always(actMuteDistrusts), always(actModern)), // until it trusts the certificate
				until(d, always(actModern), always(actMuteDistrusts)), // it hangs up, and got in before
				until(d, always(actMuteAboutCA), always(actLegacy)),   // until it has our CA
				part(actWrongName, actModern),
			}[i/10%10]
		}
		clients = append(clients, c)
	}
	return append(clients, simSpecial(instances)...)
}

// simSpecial are clients that are special in who they are.
func simSpecial(instances int) (clients []*simClient) {
	add := func(name string, source call.Source, p plan) *simClient {
		c := &simClient{id: call.Identity{Name: name, Source: source, Address: fmt.Sprintf("10.8.0.%d", len(clients))}, plan: p, at: -1, runtimes: simAll[:1]}
		if source == call.SourceAccount {
			c.id.Unnamed = c.id.Address
		}
		clients = append(clients, c)
		return c
	}
	for n, what := range []string{"seen", "scanned", "got-in"} { // declared, and never seen making a call
		c := add("declared-never-"+what, call.SourceName, []plan{nothing, weekdays(actScan), weekdays(actRefused)}[n])
		c.named, c.declared = true, simStart.Add(20*dayLong)
	}
	for n := range 6 { // two accounts on one connection, until the first has migrated
		c := add(fmt.Sprint("account-", n), call.SourceAccount, until(15*(n+1), always(actLegacy), always(actModern)))
		c.runtimes, c.late = simAll[n:][:1], n%2 == 1
		c.partner = add(fmt.Sprint("account-beside-", n), call.SourceAccount, until(15*(n+1)+5, nothing, always(actModern)))
		c.partner.runtimes = c.runtimes
	}
	for n := range 24 { // now and then, in any way and anywhere
		c := add(fmt.Sprint("unsteady-", n), call.SourceName, func(_ int, r *rand.Rand) []actKind {
			if r.IntN(3+n) != 0 {
				return nil
			}
			return []actKind{actKind(r.IntN(int(numActs)))}
		})
		c.named, c.runtimes = true, simAll[n%len(simAll):][:1]
	}
	shared := add("shared", call.SourceListener, always(slices.Repeat([]actKind{actPlain}, 12)...)) // by both, many times a day
	shared.named, shared.at, shared.runtimes = true, 0, []*simRuntime{simJava, simPHP}
	return clients
}

// passersBy come for one day: addresses that scan, fail, or call another host,
// and one that calls.
func passersBy(day, instances int, r *rand.Rand) (clients []*simClient) {
	for n := range 16 {
		kind := [...]actKind{actScan, actScan, actDistrusts, actForeign, actRefused}[n%5]
		if n == 15 {
			kind = actPlain
		}
		address := fmt.Sprintf("10.9.%d.%d", day, n)
		clients = append(clients, &simClient{
			id: call.Identity{Name: address, Source: call.SourceAddress, Address: address}, passing: true,
			plan: func(d int, _ *rand.Rand) []actKind {
				if d == day {
					return []actKind{kind}
				}
				return nil
			},
			at: r.IntN(instances), runtimes: simAll[day%len(simAll):][:1],
		})
	}
	return clients
}

func passing(name string) bool { return name == call.LabelOverflow || strings.HasPrefix(name, "10.9.") }

// perform records what the proxy would.
func perform(l *ledger.Ledger, c *simClient, a act) {
	id := c.id
	id.Configured = c.named
	o := call.Outcome{Client: id, End: a.at, Ours: true, Label: "*.smsportal.com", Ingress: call.Connect, Host: "api.smsportal.com", UserAgent: a.runtime.agent}
	s := &call.Observation{Ours: true, Ingress: call.Connect, Host: o.Host, NoCall: !a.kind.request() && !a.kind.secure()}
	hello := func(v call.Version) {
		s.Version, s.Hello = v, &call.Offer{Max: v, SNI: true, Library: a.runtime.modern, JA4: "t13"}
		if v.Insecure() {
			s.Hello.Library, s.Hello.JA4 = a.runtime.old, "t10"
		}
		o.Version, o.Offer = v, s.Hello
	}
	ends := func(h call.Handling, why call.HandshakeFailure) {
		s.Handling, s.Failure, s.AtUpstream = h, why, h == call.Spliced
		o.Handling = h
	}
	switch a.kind {
	case actPlain, actFallsBack:
		o.Ingress, s.Ingress, o.FallsBack, o.Upgraded = call.Forward, call.Forward, a.kind == actFallsBack, true
	case actLegacy, actSSLv2, actInside:
		hello(call.Version10)
		ends(call.Terminated, call.HandshakeOK)
		s.Hello.SSLv2 = a.kind == actSSLv2
	case actModern:
		hello(call.Version13)
		ends(call.Spliced, call.HandshakeOK)
	case actRefused:
		hello(call.Version10)
		ends(call.Refused, call.HandshakeVersion)
	case actRejectsCA, actMuteAboutCA:
		hello(call.Version10)
		ends(call.Refused, call.HandshakeClientRejectedCA)
	case actNoShared:
		hello(call.Version12)
		ends(call.Spliced, call.HandshakeNoSharedCipher)
	case actDistrusts, actMuteDistrusts, actWrongName:
		hello(call.Version13)
		ends(call.Spliced, call.HandshakeClientRejectedUpstream)
		s.Hello.WrongName = a.kind == actWrongName
	case actShutOut:
		hello(call.VersionSSL3)
		ends(call.Refused, call.HandshakeVersion)
		s.Hello.ShutOut = true
	case actNameless:
		hello(call.Version12)
		ends(call.Refused, call.HandshakeNoServerName)
		s.Hello.SNI = false
	case actScan:
		hello(call.Version13)
		ends(call.Spliced, call.HandshakeNoCall)
	case actForeign:
		o.Ours, o.Ingress, o.Label, s = false, call.Forward, call.LabelDenied, nil
	}
	switch a.kind {
	case actMuteAboutCA, actMuteDistrusts:
		s.Failure, s.NoAlert = call.HandshakeEOF, true
	case actInside:
		s = nil
	}
	if o.Observation = s; !a.kind.request() && a.kind != actForeign {
		o.Kind = call.Observed
	}
	if c.late && a.kind == actLegacy {
		early := call.Outcome{
			Kind: call.Observed, Client: call.Identity{Name: id.Unnamed, Source: call.SourceAddress, Address: id.Unnamed}, End: a.at, Offer: o.Offer,
			Observation: &call.Observation{Ours: true, Ingress: call.Connect, Early: true, NoCall: true, Hello: s.Hello},
		}
		l.Record(&early)
		s.FormerName = id.Unnamed
	}
	l.Record(&o)
}
