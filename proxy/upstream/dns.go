package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	dnsTimeout  = time.Second           // for one question to one server
	dnsRounds   = 2                     // times each server is asked
	dnsUDPSize  = 1232                  // fits every path unfragmented (RFC 9715)
	familyDelay = 50 * time.Millisecond // for the other family, once one has answered (RFC 8305 3)
	maxAliases  = 10                    // CNAMEs followed for one name
	maxRecords  = 64                    // addresses taken of one answer
)

// dnsFailure is a question that got no answer, as opposed to the answer that
// there is no such name: an older answer may serve.
type dnsFailure struct{ err error }

func (e *dnsFailure) Error() string { return e.err.Error() }
func (e *dnsFailure) Unwrap() error { return e.err }

// records is an answer to one question.
type records struct {
	addrs []netip.Addr
	ttl   time.Duration
	err   error
}

// query asks for both families at once. Their addresses are joined; a family
// that failed, or is late, shortens the time the rest is kept.
func (r *resolver) query(ctx context.Context, servers []string, name string) ([]netip.Addr, time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan records, 2)
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		go func() { results <- r.queryType(ctx, servers, dns.Fqdn(name), qtype) }()
	}
	first := <-results
	var late <-chan time.Time
	if len(first.addrs) > 0 {
		t := time.NewTimer(familyDelay)
		defer t.Stop()
		late = t.C
	}
	var second records
	select {
	case second = <-results:
	case <-late:
		second = records{ttl: partialTTL, err: &dnsFailure{errors.New("one family is late")}}
	}
	return join(first, second)
}

func join(a, b records) ([]netip.Addr, time.Duration, error) {
	ttl := min(a.ttl, b.ttl)
	addrs := append(a.addrs, b.addrs...)
	var failed *dnsFailure
	switch {
	case len(addrs) > 0 && (errors.As(a.err, &failed) || errors.As(b.err, &failed)):
		return addrs, min(ttl, partialTTL), nil
	case len(addrs) > 0:
		return addrs, positiveTTL(a, b), nil
	case errors.As(a.err, &failed):
		return nil, minTTL, a.err
	case errors.As(b.err, &failed):
		return nil, minTTL, b.err
	case a.err != nil:
		return nil, ttl, a.err
	default:
		return nil, ttl, b.err
	}
}

// positiveTTL is the shorter life of those answers that hold addresses: that
// there is none of the other family may be short-lived, and matters less.
func positiveTTL(a, b records) time.Duration {
	switch {
	case len(a.addrs) == 0:
		return b.ttl
	case len(b.addrs) == 0:
		return a.ttl
	default:
		return min(a.ttl, b.ttl)
	}
}

// queryType asks one question, following aliases that the servers do not.
func (r *resolver) queryType(ctx context.Context, servers []string, name string, qtype uint16) records {
	ttl := maxTTL
	for range maxAliases {
		m, err := r.exchange(ctx, servers, name, qtype)
		if err != nil {
			return records{ttl: minTTL, err: &dnsFailure{err}}
		}
		rec, next := extract(m, name, qtype)
		rec.ttl = min(rec.ttl, ttl)
		if next == "" {
			return rec
		}
		name, ttl = next, rec.ttl
	}
	return records{ttl: minTTL, err: errors.New("too many aliases")}
}

// exchange asks the servers in turn, beginning with the one that answered
// last, until one knows.
func (r *resolver) exchange(ctx context.Context, servers []string, name string, qtype uint16) (*dns.Msg, error) {
	r.mu.Lock()
	good := r.good
	r.mu.Unlock()
	err := errors.New("no DNS server")
	for i := range dnsRounds * len(servers) {
		if ctx.Err() != nil {
			return nil, errors.Join(err, ctx.Err())
		}
		at := (good + i) % len(servers)
		var m *dns.Msg
		if m, err = exchangeOne(ctx, servers[at], name, qtype); err != nil {
			continue
		}
		if at != good {
			r.mu.Lock()
			r.good = at
			r.mu.Unlock()
		}
		return m, nil
	}
	return nil, err
}

// exchangeOne asks one server: over UDP with EDNS, without EDNS if it does not
// know that, over TCP if the answer did not fit. Only an answer to the
// question counts.
func exchangeOne(ctx context.Context, server, name string, qtype uint16) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, dnsTimeout)
	defer cancel()
	q := new(dns.Msg)
	q.SetQuestion(name, qtype)
	q.SetEdns0(dnsUDPSize, false)
	client := dns.Client{UDPSize: dnsUDPSize, Timeout: dnsTimeout}
	m, _, err := client.ExchangeContext(ctx, q, server)
	if err == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
		q.Extra = nil
		m, _, err = client.ExchangeContext(ctx, q, server)
	}
	if m != nil && m.Truncated {
		client.Net = "tcp"
		m, _, err = client.ExchangeContext(ctx, q, server)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask DNS server %s: %w", server, err)
	case !m.Response || len(m.Question) != 1 || m.Question[0].Qtype != qtype || !strings.EqualFold(m.Question[0].Name, name):
		return nil, fmt.Errorf("DNS server %s answered another question", server)
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("DNS server %s answered %s", server, dns.RcodeToString[m.Rcode])
	}
	return m, nil
}

// extract follows the aliases within an answer to the addresses. When the
// answer ends in an alias, that is returned to be asked for.
func extract(m *dns.Msg, name string, qtype uint16) (rec records, next string) {
	at, ttl := dns.CanonicalName(name), uint32(maxTTL/time.Second)
	for range maxAliases {
		alias := ""
		for _, rr := range m.Answer {
			if dns.CanonicalName(rr.Header().Name) != at {
				continue
			}
			var addr netip.Addr
			ok := false
			switch rr := rr.(type) {
			case *dns.CNAME:
				alias = dns.CanonicalName(rr.Target)
			case *dns.A:
				addr, ok = netip.AddrFromSlice(rr.A)
			case *dns.AAAA:
				addr, ok = netip.AddrFromSlice(rr.AAAA)
			}
			if ok && rr.Header().Rrtype == qtype && len(rec.addrs) < maxRecords {
				rec.addrs = append(rec.addrs, addr.Unmap())
			}
			if ok || alias != "" {
				ttl = min(ttl, rr.Header().Ttl)
			}
		}
		rec.ttl = clampTTL(ttl, maxTTL)
		if len(rec.addrs) > 0 {
			return rec, ""
		}
		if alias == "" {
			break
		}
		at = alias
	}
	negative, authoritative := negativeTTL(m)
	if at != dns.CanonicalName(name) && m.Rcode == dns.RcodeSuccess && !authoritative {
		return rec, at
	}
	return records{ttl: negative, err: errNoAddress}, ""
}

// negativeTTL is how long the absence of a record is kept (RFC 2308 5), and
// whether the answer came with the SOA that says so.
func negativeTTL(m *dns.Msg) (time.Duration, bool) {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return clampTTL(min(soa.Minttl, soa.Hdr.Ttl), maxNegative), true
		}
	}
	return minTTL, false
}

func clampTTL(seconds uint32, most time.Duration) time.Duration {
	return min(max(time.Duration(seconds)*time.Second, minTTL), most)
}
