package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tlslift/configs"
	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream"
)

// usualAdvice is the operator's next step, by the reason of the failure.
var usualAdvice = map[problem.Reason]string{
	problem.DNS:             "check resolv.conf, set upstream.dns_servers, or give the upstream an address:, which needs no DNS",
	problem.InternalAddress: "correct the name, give the upstream an address:, or set allow_internal_addresses if that address is right",
	problem.Loop:            "the name leads back to tlslift: give the upstream an address:, or name upstream.dns_servers",
	problem.Connect:         "look for a firewall that refuses connections to that port, or name an upstream.parent_proxy; or the upstream's address leads to another server",
	problem.Timeout:         "look for a firewall that drops connections to that port, or name an upstream.parent_proxy",
	problem.TLS:             "something broke off the handshake: a firewall that intercepts TLS, a server without TLS 1.2, or one that requires an upstreams[].client_certificate",
	problem.TLSVerify:       "a firewall that intercepts TLS needs its CA in the upstream's ca_file; or the upstream's address leads to another server",
	problem.ParentProxy:     "look at upstream.parent_proxy: its scheme, its port and its credentials",
}

// adviceOn returns what to do about an upstream that cannot be used, or "" if
// there is no advice. If a name is to blame, it gives the key that holds the name.
func adviceOn(cfg *configs.Config, route *upstream.Route, failure *upstream.Error) string {
	var lookup *upstream.LookupError
	if errors.As(failure, &lookup) {
		if key := keyOf(cfg, route, failure.Reason, lookup.Name); key != "" {
			return fmt.Sprintf("correct %s in %s; if it is right, check upstream.dns_servers and resolv.conf", lookup.Name, key)
		}
	}
	var invalid x509.CertificateInvalidError
	var misnamed x509.HostnameError
	switch {
	case failure.Reason != problem.TLSVerify:
	case errors.As(failure, &invalid) && invalid.Reason == x509.Expired:
		return datesAdvice(invalid.Cert, time.Now())
	case errors.As(failure, &misnamed):
		return nameAdvice(cfg, route)
	}
	switch {
	case errors.Is(failure, upstream.ErrPlainHTTP):
		return plainAdvice(cfg, route, failure.Reason)
	case errors.Is(failure, upstream.ErrSilent) && failure.Reason == problem.TLS:
		return "look for a firewall that accepts connections in place of the server or drops what TLS sends, or name an upstream.parent_proxy; or the upstream's address leads to a server without TLS"
	case failure.Reason == problem.TLS && strings.Contains(failure.Error(), "certificate required"):
		return "the server requires a client certificate: set upstreams[].client_certificate"
	case failure.Reason == problem.TLS && strings.Contains(failure.Error(), "protocol version") && cfg.Upstream.MinTLS > call.Version12:
		return "upstream.min_tls is 1.3, and the server seems to have TLS 1.2 at most: remove the key"
	case errors.Is(failure, upstream.ErrPins):
		return "the chain is verified: if these keys are the server's new ones, put one of them into upstreams[].pins"
	}
	return usualAdvice[failure.Reason]
}

// datesAdvice returns what to do about a certificate that is not valid now.
func datesAdvice(c *x509.Certificate, now time.Time) string {
	if now.Before(c.NotBefore) {
		return fmt.Sprintf("check the clock: the certificate is valid from %s on; if the clock is right, contact SMSPortal", c.NotBefore.UTC().Format(time.DateOnly))
	}
	return fmt.Sprintf("check the clock: the certificate was valid until %s; if the clock is right, the server's owner has to renew it: contact SMSPortal", c.NotAfter.UTC().Format(time.DateOnly))
}

// nameAdvice returns what to do about a certificate that is valid, but for
// another host.
func nameAdvice(cfg *configs.Config, route *upstream.Route) string {
	const other, firewall = "the certificate is for another host: ", "look for a firewall that answers in place of the server"
	entry := inherited(entryOf(cfg, route), cfg.Upstreams)
	switch {
	case entry.Address != "":
		return other + "correct the upstream's address: " + entry.Address + "; if it is right, " + firewall
	case !entry.To.IsZero():
		return other + "correct the upstream's to: " + entry.To.String() + "; if it is right, " + firewall
	default:
		return other + firewall + ", or for a DNS record that leads to another server"
	}
}

// plainAdvice returns what to do about plain HTTP where TLS is expected.
func plainAdvice(cfg *configs.Config, route *upstream.Route, reason problem.Reason) string {
	const usual = 443
	entry := inherited(entryOf(cfg, route), cfg.Upstreams)
	switch {
	case reason == problem.ParentProxy:
		return "in upstream.parent_proxy, write http:// instead of https://"
	case entry.Address != "":
		return fmt.Sprintf("in the upstream's address: %s, write the port that the server has for HTTPS", entry.Address)
	case entry.Port != usual:
		return fmt.Sprintf("in the upstream's port: %d, write the port that the server has for HTTPS", entry.Port)
	default:
		return "look for a firewall that answers in place of the server, or name an upstream.parent_proxy"
	}
}

// keyOf returns the key that holds a name on the way to an upstream, or "" for
// the upstream's own name.
func keyOf(cfg *configs.Config, route *upstream.Route, reason problem.Reason, name host.Name) string {
	switch {
	case reason == problem.ParentProxy:
		return "upstream.parent_proxy"
	case name == route.Host:
		return ""
	}
	// Its own entry comes first. With to, the address may be in another entry.
	for _, u := range append([]configs.Upstream{entryOf(cfg, route)}, cfg.Upstreams...) {
		if at, _, err := host.ParseAuthority(u.Address); err == nil && at == name {
			return fmt.Sprintf("the address: of upstream %s", u.Host)
		}
		if u.To == name {
			return fmt.Sprintf("the to: of upstream %s", u.Host)
		}
	}
	return ""
}

// entryOf returns the entry of upstreams that a route was made from.
func entryOf(cfg *configs.Config, route *upstream.Route) configs.Upstream {
	i := slices.IndexFunc(cfg.Upstreams, func(u configs.Upstream) bool { return u.Host.String() == route.Label })
	return cfg.Upstreams[i]
}
