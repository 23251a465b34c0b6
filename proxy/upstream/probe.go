package upstream

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"

	"tlslift/proxy/problem"
)

// ProbeResult is what a probe found.
type ProbeResult struct {
	Address    netip.AddrPort // the other end of the socket
	TLSVersion uint16
	Cipher     uint16
	Chain      []*x509.Certificate // verified, the leaf first
	NotAfter   time.Time           // when the first certificate of the chain ends
}

// Probe makes a verified connection to r and closes it: no request is sent.
// The error is an *Error. Foreign routes have no TLS to probe.
func (t *Transport) Probe(ctx context.Context, r *Route) (ProbeResult, error) {
	var res ProbeResult
	if r.plain {
		return res, notSent(problem.Host, errForeign)
	}
	p := newPool(r.host, r) // its own: nothing of it is kept
	c, err := p.connect(ctx)
	if err != nil {
		return res, err
	}
	defer c.close(false)
	cs := c.tls.ConnectionState()
	res = ProbeResult{
		Address: c.remote, TLSVersion: cs.Version, Cipher: cs.CipherSuite,
	}
	if len(cs.VerifiedChains) > 0 {
		res.Chain = cs.VerifiedChains[0]
	}
	for i, cert := range res.Chain {
		if i == 0 || cert.NotAfter.Before(res.NotAfter) {
			res.NotAfter = cert.NotAfter
		}
	}
	return res, nil
}
