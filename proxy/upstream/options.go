package upstream

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
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
	// To replaces the host: connect, SNI, verification and Host header. Zero =
	// the host that was asked for.
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
	// Pins are SHA-256 sums of SubjectPublicKeyInfo (RFC 7469 2.4). When
	// there are any, one of them must be in the verified chain.
	Pins [][sha256.Size]byte
	// ClientCertificate is presented when the server asks for one.
	ClientCertificate *tls.Certificate
}

// Options is what a Transport is made of. The zero value of a duration or
// count means its default, except Warm, where 0 means off.
type Options struct {
	Hosts               []Host
	MinTLS              uint16           // tls.VersionTLS12 (default) or tls.VersionTLS13
	ParentProxy         *url.URL         // http or https; nil = connect directly
	ParentProxyPassword string           // replaces the URL's password
	ParentExcept        []host.Set       // what is reached without the parent proxy
	DNSServers          []netip.AddrPort // empty = those of resolv.conf
	HostsFile           string           // "" = the system's
	ResolvConf          string           // "" = the system's
	AllowInternal       bool             // upstream names may resolve to internal addresses

	Warm            int           // never-used connections kept ready per host in use
	MaxConns        int           // per host; default 256
	IdleTimeout     time.Duration // default 90s: upper bound of an idle connection's life
	DialTimeout     time.Duration // default 5s: name, connect and parent proxy together; also the wait for a free connection
	TLSTimeout      time.Duration // default 5s: one handshake
	ResponseTimeout time.Duration // default 90s: from the request's last byte to the response head
	BodyTimeout     time.Duration // default 60s: without progress of a response body
	ResponseBuffer  int64         // default 1 MiB: answers up to this size are held until complete

	// Own reports whether an address is one of our own listeners or the admin
	// port. nil = never.
	Own func(netip.AddrPort) bool

	Logger   *zap.Logger // nil = none
	Observer Observer    // nil = none

	parent *dial.Parent
	net    func(context.Context, netip.AddrPort, func(netip.AddrPort) error) (net.Conn, error) // see dial.Dialer; of tests
}

// pastParent reports whether there is a parent proxy and one of the names that a
// target has is reached without it.
func (o *Options) pastParent(names ...host.Name) bool {
	if o.ParentProxy == nil {
		return false
	}
	return slices.ContainsFunc(o.ParentExcept, func(e host.Set) bool { return slices.ContainsFunc(names, e.Has) })
}

// Observer receives what the metrics count. Its methods are called from many
// goroutines and must not block. label is a Host's Pattern, or LabelOther.
type Observer interface {
	dial.Observer
	// Pool sets how many connections there are: at once when one is made or
	// closed, within a second when one is taken or given back. Foreign connections
	// are not counted.
	Pool(label string, idle, busy int)
}

// Phase is a part of a request's time, see Observer.
type Phase = dial.Phase

type noObserver struct{}

func (noObserver) Phase(string, Phase, time.Duration)     {}
func (noObserver) Handshake(string, uint16, uint16, bool) {}
func (noObserver) Certificate(string, time.Time)          {}
func (noObserver) ClassicHello(string)                    {}
func (noObserver) Pool(string, int, int)                  {}

// complete fills in the defaults and reports every setting that cannot work.
func (o *Options) complete() error {
	o.MinTLS = cmp.Or(o.MinTLS, tls.VersionTLS12)
	o.MaxConns = cmp.Or(o.MaxConns, 256)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 90*time.Second)
	o.DialTimeout = cmp.Or(o.DialTimeout, 5*time.Second)
	o.TLSTimeout = cmp.Or(o.TLSTimeout, 5*time.Second)
	o.ResponseTimeout = cmp.Or(o.ResponseTimeout, 90*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 60*time.Second)
	o.ResponseBuffer = cmp.Or(o.ResponseBuffer, 1<<20)
	if o.Own == nil {
		o.Own = func(netip.AddrPort) bool { return false }
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	errs := o.validate()
	if o.ParentProxy != nil {
		var err error
		o.parent, err = dial.NewParent(o.ParentProxy, o.ParentProxyPassword)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("upstream options: %w", err)
	}
	return nil
}

func (o *Options) validate() []error {
	var errs []error
	if o.MinTLS != tls.VersionTLS12 && o.MinTLS != tls.VersionTLS13 {
		errs = append(errs, fmt.Errorf("minimum TLS version %#04x is neither 1.2 nor 1.3", o.MinTLS))
	}
	if o.Warm < 0 || o.MaxConns < 0 || o.ResponseBuffer < 0 {
		errs = append(errs, errors.New("negative connection count or buffer size"))
	}
	if min(o.IdleTimeout, o.DialTimeout, o.TLSTimeout, o.ResponseTimeout, o.BodyTimeout) < 0 {
		errs = append(errs, errors.New("negative timeout"))
	}
	if o.ParentProxyPassword != "" && o.ParentProxy == nil {
		errs = append(errs, errors.New("a parent proxy password without a parent proxy"))
	}
	seen := make(map[host.Pattern]bool, len(o.Hosts))
	for _, h := range o.Hosts {
		if seen[h.Pattern] {
			errs = append(errs, fmt.Errorf("upstream %q is given twice", h.Pattern.String()))
		}
		seen[h.Pattern] = true
		if h.Pattern.Domain().IsZero() {
			errs = append(errs, fmt.Errorf("upstream %q: %w", h.Pattern.String(), host.ErrEmpty))
		}
	}
	return errs
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

// sameWay reports whether connections are made in the same way under both, so
// that those made under one may be used under the other.
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
