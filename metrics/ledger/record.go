package ledger

import (
	"net/http"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/redact"
)

// Record takes one outcome into the ledger. It is the only method that
// observes: a request counts as a request of its client, and what the
// connection shows of the client (its hello, the connection itself, how the
// handshake failed) counts with the one outcome that carries Sighted.
//
// A CONNECT is not a request: what comes through it is. Rows are about
// configured upstreams alone; the series count foreign and refused traffic too.
// Outcome.End is the time of everything recorded.
func (l *Ledger) Record(o *call.Outcome) {
	request := o.Kind == call.Request && o.Method != http.MethodConnect
	s := o.Sighted
	if !request && s == nil {
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
	r := l.find(name, asked || sighted, now)
	if asked || sighted {
		r.seen(o.Client.Rung, now)
		if sighted {
			r.sighted(s, now)
		}
		if asked {
			r.request(o, family, now)
		}
		l.queue(r)
		l.changed.Store(true)
	}
	counts := l.seriesOf(r, now)
	if s != nil {
		counts.sighted(s)
	}
	if request {
		counts.request(o, l.upstream(o.Label), now)
	}
}

// seen records that the client was here.
func (r *row) seen(rung call.Rung, now int64) {
	if r.name != call.LabelOverflow {
		r.source = rung.String()
	}
	if r.first == 0 {
		r.first = now
	}
	r.last = max(r.last, now)
}

// request records a request for one of our upstreams.
func (r *row) request(o *call.Outcome, family call.Family, now int64) {
	r.totals.count(key{ofRequests, uint8(o.Ingress), uint8(o.Version), 0})
	r.totals.count(key{ofFamilies, uint8(family), 0, 0})
	r.family = family
	r.host(o.Host, now)
	if d := r.today(now); o.Version.Insecure() {
		r.lastInsecure = max(r.lastInsecure, now)
		increment(&d.InsecureRequests)
	} else {
		r.lastSecure = max(r.lastSecure, now)
		increment(&d.SecureRequests)
	}
	if o.Version.Insecure() || o.Handling == call.Terminated {
		r.lastLifted = max(r.lastLifted, now)
	}
	if o.FallsBack {
		r.lastFallsBack = max(r.lastFallsBack, now)
	}
	if o.Version == call.VersionNone {
		r.evidence.note(Plaintext, now)
	}
	r.expose(o.Exposed, now)
}

// sighted records what a connection shows. The failure comes last: what it says
// depends on whether the client ever got in.
func (r *row) sighted(s *call.Sighted, now int64) {
	if s.Hello != nil {
		r.hello(s.Hello, now)
	}
	if s.Handling != call.Tunnelled {
		r.connection(s, now)
	}
	if s.Failure != call.HandshakeOK {
		r.failure(s, now)
	}
}

func (r *row) hello(h *call.Offer, now int64) {
	r.offered = max(r.offered, h.Max)
	r.totals.count(key{ofHellos, uint8(h.Max), 0, 0})
	r.guess(h)
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
		r.evidence[NamesWrongHost], r.evidence[NoServerName] = 0, 0
	}
}

func (r *row) connection(s *call.Sighted, now int64) {
	// A refused client that sent TLS_FALLBACK_SCSV can do better than it offers.
	failed := s.Failed || s.Handling == call.Refused && s.Hello != nil && s.Hello.Fallback
	if !failed || s.Handling != call.Terminated { // or it would look as if the client had got in
		r.totals.count(key{ofConnections, uint8(s.Handling), uint8(s.Version), 0})
	}
	if s.Handling == call.Spliced || s.Handling == call.Refused {
		r.host(s.Host, now) // of any other, the requests name it
	}
	if failed {
		return
	}
	d := r.today(now)
	switch {
	case s.Version.Insecure():
		r.lastInsecure = max(r.lastInsecure, now)
		increment(&d.InsecureConnections)
	case s.Handling != call.Refused:
		r.lastSecure = max(r.lastSecure, now)
		increment(&d.SecureConnections)
	}
	switch s.Handling {
	case call.Plain:
		r.evidence.note(Plaintext, now)
		r.evidence[ShutOut] = 0 // it is up again; why it must change is in LegacyOnly and NoSharedCipher
	case call.Terminated:
		r.evidence[DistrustsCA], r.evidence[ShutOut], r.evidence[NoServerName] = 0, 0, 0
	case call.Spliced:
		r.evidence[DistrustsUpstream], r.evidence[NoSharedCipher], r.evidence[ShutOut], r.evidence[NoServerName] = 0, 0, 0, 0
	}
}

// failure records a handshake that failed. A client that offers nothing modern,
// or shares nothing modern with its peer, is insecure traffic: without tlslift
// it cannot get through either.
func (r *row) failure(s *call.Sighted, now int64) {
	r.totals.count(key{ofFailures, uint8(s.Failure), 0, 0})
	var offered call.Version
	old := false
	if s.Hello != nil {
		offered = s.Hello.Max
		old = offered != call.VersionNone && offered.Insecure() && !s.Hello.Fallback
	}
	switch s.Failure {
	case call.HandshakeNoServerName:
		r.evidence.note(NoServerName, now)
	case call.HandshakeNoSharedCipher, call.HandshakeSignature:
		if !offered.Insecure() {
			r.evidence.note(NoSharedCipher, now)
			old = true
		}
	case call.HandshakeClientRejectedCA:
		switch {
		case s.AtUpstream && s.Hello != nil && s.Hello.WrongName:
			// It was shown the certificate of the host that it named: that is NamesWrongHost.
		case s.AtUpstream:
			r.evidence.note(DistrustsUpstream, now)
		default:
			r.evidence.note(DistrustsCA, now)
		}
	case call.HandshakeEOF:
		// Mono, SChannel and old Node.js say no more than this when they do not
		// trust a certificate. A client that once got in has another reason.
		if s.CertificateShown && !s.AtUpstream && r.totals.total(ofConnections, uint8(call.Terminated)) == 0 {
			r.evidence.note(DistrustsCA, now)
		}
	case call.HandshakeSSLv2Hello:
		r.evidence.note(SSLv2Framed, now)
		old = true
	}
	if s.Hello != nil && s.Hello.ShutOut {
		r.evidence.note(ShutOut, now)
		old = true
	}
	if old {
		r.lastInsecure = max(r.lastInsecure, now)
	}
}

// expose counts the secrets of one request.
func (r *row) expose(kinds redact.Kinds, now int64) {
	if kinds == 0 {
		return
	}
	for i, kind := range redact.AllKinds {
		if kinds.Has(kind) {
			r.exposed[i].count++
			r.exposed[i].last = now
		}
	}
}

func increment(n *uint32) {
	if *n < 1<<32-1 {
		*n++
	}
}

// dayOf is the number of a time's day, in UTC, since the Unix epoch.
func dayOf(unix int64) int32 { return int32(unix / int64(24*time.Hour/time.Second)) }
