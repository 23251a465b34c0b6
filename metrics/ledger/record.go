package ledger

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

// Record adds one outcome to the ledger. It is the only method that observes
// traffic. A request counts as a request of its client. What the connection shows
// of the client (its hello, the connection itself, how the handshake failed)
// counts with the one outcome that carries an Observation.
//
// A CONNECT is not a request, but what comes through it is. Rows cover configured
// upstreams only. They also count refused calls, if the client already has a row.
// The series count foreign and refused traffic too. A self-test counts in
// neither. Outcome.End is the time of everything recorded.
func (l *Ledger) Record(o *call.Outcome) {
	request := o.Kind == call.Request && o.Method != http.MethodConnect
	s := o.Observation
	if o.Host == host.SelfTest {
		request, s = false, nil
	}
	refused := o.Kind != call.Observed && o.Host != host.SelfTest && o.Failure == call.HandshakeOK && o.Reason.Denied() && o.Reason != problem.ClientGone
	if !request && s == nil && !refused {
		return
	}
	name, now := cleanName(o.Client.Name), o.End.Unix()
	asked, sighted := request && o.Ours, s != nil && s.Ours
	var family call.Family
	if asked {
		family = call.FamilyOf(o.UserAgent)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if sighted && s.FormerName != "" {
		l.withdraw(cleanName(s.FormerName), s.Hello)
	}
	name, home := l.rowName(name, &o.Client)
	r := l.find(name, asked || sighted, now)
	if r.first == 0 && r != &l.overflow && (asked || sighted) && home != "" {
		r.address = home
		l.count(r, 1)
	}
	if asked || sighted {
		r.seen(o.Client.Source, now)
		offer := o.Offer
		if sighted {
			offer = cmp.Or(s.Hello, offer)
			r.observe(s, offer, now)
		}
		if asked {
			r.request(o, now)
		}
		r.shows(o, offer, family, asked && !o.Partial, asked || sighted && s.Called(), now)
		if home := l.rows[cleanName(o.Client.Unnamed)]; home != nil && o.Client.Source == call.SourceAccount && sighted && s.Called() && s.Handling == call.Terminated {
			home.gotIn(now)
		}
		l.queue(r)
		l.changed.Store(true)
	}
	switch {
	case refused && r.known():
		r.totals.count(key{ofRefusals, uint8(o.Reason), 0, 0})
		r.lastRefused = max(r.lastRefused, now)
		l.changed.Store(true)
	case asked && !refused, sighted && s.Called() && s.Handling == call.Spliced:
		r.lastServed = max(r.lastServed, now)
	}
	if !request && s == nil {
		return
	}
	counts := l.seriesOf(r, now)
	if s != nil && !s.Again {
		counts.observe(s)
	}
	if request {
		counts.request(o, l.upstream(o.Label), now)
	}
}

// seen records a sighting of the client.
func (r *row) seen(source call.Source, now int64) {
	if r.name != call.LabelOverflow {
		r.source = source.String()
	}
	if r.first == 0 {
		r.first = now
	}
	r.last = max(r.last, now)
}

// request records a request for one of our upstreams.
func (r *row) request(o *call.Outcome, now int64) {
	r.totals.count(key{ofRequests, uint8(o.Ingress), uint8(o.Version), 0})
	if !o.Misnamed {
		r.mark(ofHost, o.Host, now)
	}
	r.called(o.Handling, o.Version, now)
	if d := r.today(now); o.Version.Insecure() {
		increment(&d.InsecureRequests)
	} else {
		increment(&d.SecureRequests)
	}
	if o.Upgraded && (o.Version.Insecure() || o.Handling == call.Terminated) {
		r.lastLifted = max(r.lastLifted, now)
	}
	if o.FallsBack {
		r.lastFallsBack = max(r.lastFallsBack, now)
	}
	r.ledBy(o.Setting, now)
	if o.Offer != nil {
		r.offer(o.Offer, now)
	}
	r.expose(o.Exposed, o.Version, now)
}

// ledBy records which of the client's settings led a call here.
func (r *row) ledBy(s call.Setting, now int64) { r.settings[s] = max(r.settings[s], now) }

// called records that the client made a call.
func (r *row) called(h call.Handling, v call.Version, now int64) {
	if h == call.Spliced && r.lastSecure == 0 {
		r.movedOn(now)
	}
	if v.Insecure() {
		r.lastInsecure = max(r.lastInsecure, now)
	} else {
		r.lastSecure = max(r.lastSecure, now)
	}
	switch h {
	case call.Plain:
		r.evidence.note(Plaintext, now)
		r.evidence.refute(now, ShutOut) // it is up again; LegacyOnly and NoSharedCipher say why it must change
	case call.Terminated:
		r.evidence.refute(now, DistrustsCA, ShutOut, NoServerName)
	case call.Spliced:
		r.evidence.refute(now, DistrustsUpstream, NoSharedCipher, ShutOut, NoServerName)
		// An old hello is evidence for both, so what rejected tlslift's certificate
		// last offers TLS 1.2. It was terminated, and is not any more.
		if old := r.evidence.Held(LegacyOnly) + r.evidence.Refuted(LegacyOnly); old < r.evidence.Held(DistrustsCA) {
			r.evidence.refute(now, DistrustsCA)
		}
	}
}

// movedOn records a client's first call over its own TLS. Earlier old hellos that
// led to no call came from the program before it was changed. A later one comes
// from another program, or is a relapse.
func (r *row) movedOn(now int64) {
	old := [...]Verdict{DistrustsCA, SSLv2Framed, LegacyOnly}
	for _, v := range old {
		if at := r.evidence.Held(v); at != 0 && at <= r.lastInsecure {
			return
		}
	}
	r.evidence.refute(now, old[:]...)
}

// observe records what a connection shows. The failure comes last, because its
// meaning depends on whether the client ever got in.
func (r *row) observe(s *call.Observation, offer *call.Offer, now int64) {
	if s.Hello != nil {
		r.totals.count(key{ofHellos, uint8(s.Hello.Max), 0, 0})
	}
	if offer != nil {
		r.offer(offer, now)
	}
	if s.Handling != call.Tunnelled && (!s.NoCall || s.Handling == call.Refused) {
		r.connection(s, offer, now)
	}
	if s.Failure != call.HandshakeOK {
		r.failure(s, offer, now)
	}
}

// gotIn records that a client without a call of its own name got in: its handshake
// succeeded, and its call counts under its account. Only the next failure says
// otherwise.
func (r *row) gotIn(now int64) {
	r.evidence.refute(now, DistrustsCA, ShutOut, NoServerName)
	r.lastFailed = 0
}

// withdraw takes back a hello that was recorded under a name, after its client
// turned out to have a better one. If nothing but refused calls is left, the row is
// dropped, or unseen again if it is configured. What was exported stays.
func (l *Ledger) withdraw(name string, h *call.Offer) {
	r := l.rows[name]
	if r == nil || h == nil {
		return
	}
	if n := r.totals.at(key{ofHellos, uint8(h.Max), 0, 0}); *n > 0 {
		*n--
	}
	r.totals = slices.DeleteFunc(r.totals, func(t tally) bool { return t.n == 0 })
	r.unmark(ofJA4, h.JA4)
	r.unmark(ofLibrary, h.Library)
	r.forget(h)
	refusal := func(t tally) bool { return t.subject == ofRefusals }
	if r.first == 0 || slices.ContainsFunc(r.totals, func(t tally) bool { return !refusal(t) }) {
		return
	}
	if !r.configured {
		l.evict(r)
		return
	}
	*r = row{name: r.name, configured: true, series: r.series, used: r.used, place: r.place, totals: r.totals, lastRefused: r.lastRefused}
	l.queue(r)
}

// forget drops what only a withdrawn hello showed: what neither another hello nor a
// request over TLS shows.
func (r *row) forget(h *call.Offer) {
	var old, modern bool // the row has others with and without TLS 1.2
	r.offered = 0
	for _, t := range r.totals {
		v := call.VersionNone
		switch t.subject {
		case ofHellos:
			v = call.Version(t.a)
		case ofRequests:
			v = call.Version(t.b)
		}
		r.offered = max(r.offered, v)
		old, modern = old || v != call.VersionNone && v.Insecure(), modern || !v.Insecure()
	}
	drop := func(verdicts ...Verdict) {
		for _, v := range verdicts {
			r.evidence[v] = 0
		}
	}
	if !old {
		r.old = ""
		drop(LegacyOnly, ShutOut)
	}
	if !modern {
		r.library = ""
		drop(NoServerName)
	}
	if !modern && (!old || !h.Fallback) {
		drop(Capable)
	}
	if !modern && !old {
		drop(NamesWrongHost)
	}
	if h.SSLv2 && !old {
		r.framed = ""
		drop(SSLv2Framed)
	}
	if r.ja4 == h.JA4 && r.findMark(ofJA4, h.JA4) == nil {
		r.ja4 = ""
	}
}

// offer records what a hello says its client can do.
func (r *row) offer(h *call.Offer, now int64) {
	r.offered = max(r.offered, h.Max)
	library := &r.library
	switch {
	case h.SSLv2:
		library = &r.framed
	case h.Max.Insecure():
		library = &r.old
	}
	if h.Library != "" && h.Library != *library {
		*library = clip(h.Library, maxText)
	}
	if h.Fallback || !h.Max.Insecure() {
		r.evidence.note(Capable, now)
	} else {
		r.evidence.note(LegacyOnly, now)
	}
	if h.SSLv2 {
		r.evidence.note(SSLv2Framed, now)
	}
	switch {
	case h.WrongName:
		r.evidence.note(NamesWrongHost, now)
	case h.SNI:
		r.evidence.refute(now, NamesWrongHost, NoServerName)
	}
}

// connection records a connection that carried a call or was refused.
func (r *row) connection(s *call.Observation, offer *call.Offer, now int64) {
	if !s.Again {
		r.totals.count(key{ofConnections, uint8(s.Handling), uint8(s.Version), 0})
		if s.Handling != call.Plain && s.Handling != call.Terminated {
			r.mark(ofHost, s.Host, now) // on the others, the requests name it
		}
	}
	if !s.Called() {
		return
	}
	r.called(s.Handling, s.Version, now)
	if s.Handling == call.Spliced { // on the others, the requests show it
		r.ledBy(call.SettingOf(s.Ingress, offer != nil && offer.SNI && !offer.WrongName), now)
	}
	if d := r.today(now); !s.Again || !d.active() {
		increment(d.connections(s.Version.Insecure()))
	}
}

// failure records a handshake that failed or was not followed by a call. It says
// what the client can do, and not how it stands.
func (r *row) failure(s *call.Observation, offer *call.Offer, now int64) {
	r.totals.count(key{ofFailures, uint8(s.Failure), 0, 0})
	if s.Handling != call.Refused { // a refused connection was counted already
		r.mark(ofHost, s.Host, now)
	}
	failed := shutOutBy(s.Failure, offer)
	switch s.Failure {
	case call.HandshakeNoServerName:
		r.evidence.note(NoServerName, now)
	case call.HandshakeNoSharedCipher, call.HandshakeSignature:
		if offer == nil || !offer.Max.Insecure() {
			r.evidence.note(NoSharedCipher, now)
		}
	case call.HandshakeClientRejectedCA:
		r.evidence.note(DistrustsCA, now)
	case call.HandshakeClientRejectedUpstream:
		if offer == nil || !offer.WrongName { // otherwise it was shown the certificate of the host that it named
			r.evidence.note(DistrustsUpstream, now)
		}
	case call.HandshakeEOF, call.HandshakeNoCall:
		// Mono, SChannel, wget and Node.js show no more than this when they do
		// not trust a certificate. A client that ever got in has another reason.
		switch {
		case s.NoAlert && s.AtUpstream && r.totals.total(ofConnections, uint8(call.Spliced)) == 0:
			r.evidence.note(DistrustsUpstream, now)
			failed = true
		case s.NoAlert && !s.AtUpstream && r.totals.total(ofConnections, uint8(call.Terminated)) == 0:
			r.evidence.note(DistrustsCA, now)
			failed = true
		}
	case call.HandshakeSSLv2Hello:
		r.evidence.note(SSLv2Framed, now)
	}
	if offer != nil && offer.ShutOut {
		r.evidence.note(ShutOut, now)
	}
	if failed {
		r.lastFailed = max(r.lastFailed, now)
	}
}

// expose counts the secrets in one request.
func (r *row) expose(kinds redact.Kinds, over call.Version, now int64) {
	if kinds == 0 {
		return
	}
	for i, kind := range redact.AllKinds {
		if kinds.Has(kind) {
			e := &r.exposed[bit(over != call.VersionNone)][i]
			e.count++
			e.last = now
		}
	}
}

func increment(n *uint32) { add(n, 1) }

// add adds n to sum, which saturates.
func add(sum *uint32, n uint32) { *sum += min(n, 1<<32-1-*sum) }

// dayOf returns the day of a time (UTC), in days since the Unix epoch.
func dayOf(unix int64) int32 { return int32(unix / int64(24*time.Hour/time.Second)) }
