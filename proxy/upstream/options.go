package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/host"
	"tlslift/proxy/upstream/dial"
)

// Host is one configured upstream.
type Host struct {
	// Pattern is a host or *.domain. It is the metrics label of everything sent
	// there.
	Pattern host.Pattern
	// To replaces the host for connecting, SNI, verification and the Host header.
	// Zero = the host that was asked for.
	To host.Name
	// Address is connected to instead of the host. It is exempt from the guard
	// against internal addresses. Zero = the host is resolved.
	Address host.Name
	// AddressPort is Address' port; 0 = Port.
	AddressPort uint16
	// Port is the upstream's port; 0 = 443.
	Port uint16
	// Roots are the trusted certificates; nil = the system's.
	Roots *x509.CertPool
	// Pins are SHA-256 sums of SubjectPublicKeyInfo (RFC 7469 2.4). If there are any,
	// one of them must be in the verified chain.
	Pins [][sha256.Size]byte
	// ClientCertificate is presented if the server asks for one.
	ClientCertificate *tls.Certificate
}

// Options configures a Transport.
type Options struct {
	Hosts               []Host
	MinTLS              uint16           // tls.VersionTLS12 or tls.VersionTLS13
	ParentProxy         *url.URL         // http or https; nil = connect directly
	ParentProxyPassword string           // replaces the URL's password
	ParentExcept        []host.Set       // reached without the parent proxy
	DNSServers          []netip.AddrPort // empty = those of resolv.conf
	HostsFile           string           // "" = the system's
	ResolvConf          string           // "" = the system's
	AllowInternal       bool             // upstream names may resolve to internal addresses

	Warm            int           // never-used connections kept ready per host in use; 0 = none
	MaxConns        int           // per host
	IdleTimeout     time.Duration // upper bound of an idle connection's life
	DialTimeout     time.Duration // name, connect and parent proxy together; also the wait for a free connection
	TLSTimeout      time.Duration // one handshake
	ResponseTimeout time.Duration // from the request's last byte to the response head
	BodyTimeout     time.Duration // without progress in a response body
	ResponseBuffer  int64         // answers up to this size are held until complete

	// Own reports whether an address is one of our own listeners or the admin port.
	Own func(netip.AddrPort) bool

	Logger   *zap.Logger
	Observer Observer

	net func(context.Context, netip.AddrPort, func(netip.AddrPort) error) (net.Conn, error) // see dial.Dialer; for tests
}

// pastParent reports whether there is a parent proxy and a target with one of the
// names bypasses it.
func (o *Options) pastParent(names ...host.Name) bool {
	if o.ParentProxy == nil {
		return false
	}
	return slices.ContainsFunc(o.ParentExcept, func(e host.Set) bool { return slices.ContainsFunc(names, e.Has) })
}

// Observer receives what the metrics count. Its methods are called from many
// goroutines and must not block. label is a Host's Pattern, or call.LabelOther.
type Observer interface {
	dial.Observer
	// Pool sets the numbers of connections: at once when one is made or closed,
	// within a second when one is taken or given back. Foreign connections are not
	// counted.
	Pool(label string, idle, busy int)
}

// same reports whether connections made for h may be used for other.
func (h *Host) same(other *Host) bool {
	return h.Pattern == other.Pattern && h.To == other.To && h.Port == other.Port &&
		h.Address == other.Address && h.AddressPort == other.AddressPort &&
		(h.Roots == other.Roots || h.Roots != nil && other.Roots != nil && h.Roots.Equal(other.Roots)) &&
		slices.Equal(h.Pins, other.Pins) &&
		sameCertificate(h.ClientCertificate, other.ClientCertificate)
}

func sameCertificate(a, b *tls.Certificate) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.EqualFunc(a.Certificate, b.Certificate, bytes.Equal)
}

// sameWay reports whether both make connections in the same way, so connections made
// under one may be used under the other.
func (o *Options) sameWay(other *Options) bool {
	return o.MinTLS == other.MinTLS && o.AllowInternal == other.AllowInternal &&
		urlString(o.ParentProxy) == urlString(other.ParentProxy) && o.ParentProxyPassword == other.ParentProxyPassword
}

// sameNames reports whether names resolve the same under both.
func (o *Options) sameNames(other *Options) bool {
	return slices.Equal(o.DNSServers, other.DNSServers) && o.HostsFile == other.HostsFile && o.ResolvConf == other.ResolvConf
}

func urlString(u *url.URL) string {
	if u == nil {
		return ""
	}
	return u.String()
}
