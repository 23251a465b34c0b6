// Package authority is the certificate authority that old clients must trust: a
// name-constrained RSA intermediate that tlslift signs with, below a root that the
// clients install. The package creates both, loads CAs made elsewhere, mints and
// caches leaf certificates, and exports what clients need.
//
// A CA that a client trusts can sign for any host, so this one is constrained. The
// constraints are in the intermediate because Java ignores those of a trust anchor.
// The root's key is not kept, because it could sign an intermediate without
// constraints.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"tlslift/proxy/host"
)

const (
	// Backdate is how long before its creation a certificate becomes valid, for
	// clients whose clocks are slow.
	Backdate = 48 * time.Hour
	// LeafLife is the maximum lifetime of a leaf. From 2026-03-15 on, client
	// programs accept at most 200 days.
	LeafLife  = 199 * 24 * time.Hour
	maxLeaves = 1024 // the maximum number of cached leaves
	keyBits   = 2048 // the oldest stacks cannot verify longer keys
)

// Options holds the settings of an Authority.
type Options struct {
	CA *CA
	// Names are the configured hosts and *.domain patterns, which are the names of
	// the leaf for callers that name no host. Names that the CA does not permit are
	// omitted.
	Names []host.Pattern
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// OnMint is called after each leaf is signed. It may be nil.
	OnMint func()
}

// Authority mints leaves. It is safe for concurrent use.
type Authority struct {
	keys    [ECDSA + 1]func() (crypto.Signer, error) // indexed by kind
	now     func() time.Time
	onMint  func()
	size    int
	current atomic.Pointer[generation]
}

// generation holds all that a reload replaces. Leaves of an old CA must not outlive
// it in the cache.
type generation struct {
	ca      *CA
	names   []string
	mu      sync.Mutex
	leaves  map[string]leaf
	flights singleflight.Group
}

// leaf is a cached leaf. The names that clients invent evict other leaves, and each of
// those is signed again when it is next needed.
type leaf struct {
	cert  *tls.Certificate
	renew time.Time
}

// kept returns the cached leaf, or nil if there is none or if it is due for renewal.
func (g *generation) kept(key string, now time.Time) *tls.Certificate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.leaves[key]; now.Before(l.renew) {
		return l.cert
	}
	return nil
}

// keep caches a leaf, and evicts arbitrary other ones while there are more than most.
func (g *generation) keep(key string, l leaf, most int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaves[key] = l
	for other := range g.leaves {
		if len(g.leaves) <= most {
			break
		}
		if other != key {
			delete(g.leaves, other)
		}
	}
}

// Kind is a kind of leaf: its key and its signature. Each kind is cached
// separately.
type Kind uint8

// Kinds of leaves. Signing a handshake with ECDSA costs far less than with RSA.
const (
	RSA     Kind = iota // an RSA key, signed with SHA-256
	RSASHA1             // the same RSA key, signed with SHA-1, for clients that can verify nothing else
	ECDSA               // a P-256 key, signed with SHA-256, for clients that accept it
)

// New returns an Authority. Its leaves share one key of each type. The RSA key is
// generated in the background at once, so normally no client waits for it.
func New(o Options) *Authority {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.OnMint == nil {
		o.OnMint = func() {}
	}
	a := &Authority{now: o.Now, onMint: o.OnMint, size: maxLeaves}
	makeRSA := sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, keyBits) })
	makeECDSA := sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	a.keys = [...]func() (crypto.Signer, error){RSA: makeRSA, RSASHA1: makeRSA, ECDSA: makeECDSA}
	a.Reload(o.CA, o.Names)
	go makeRSA() //nolint:errcheck // what needs the key gets the error
	return a
}

// Reload replaces the CA and the names atomically. Handshakes in progress keep the
// old ones.
func (a *Authority) Reload(ca *CA, names []host.Pattern) {
	g := &generation{ca: ca, leaves: make(map[string]leaf)}
	// The first name becomes the CN, and the oldest clients look at nothing else.
	order := func(p host.Pattern) int {
		switch {
		case p.String() == host.SelfTest:
			return 2
		case p.Wild():
			return 1
		default:
			return 0
		}
	}
	names = slices.SortedStableFunc(slices.Values(names), func(a, b host.Pattern) int { return order(a) - order(b) })
	for _, p := range names {
		if n := p.String(); ca.Permits(p.Domain()) && !slices.Contains(g.names, n) {
			g.names = append(g.names, n)
		}
	}
	a.current.Store(g)
}

// Leaf returns a certificate for n and for those of extraSANs that the CA permits.
// If n is zero, the certificate has all configured names, and its CN is the first
// of extraSANs, if the CA permits that.
func (a *Authority) Leaf(k Kind, n host.Name, extraSANs ...host.Name) (*tls.Certificate, error) {
	g := a.current.Load()
	names, err := g.leafNames(n, extraSANs)
	if err != nil {
		return nil, err
	}
	key := strings.Join(names, " ")
	if k != RSA {
		key = fmt.Sprintf("%d %s", k, key)
	}
	now := a.now()
	if cert := g.kept(key, now); cert != nil {
		return cert, nil
	}
	minted, err, _ := g.flights.Do(key, func() (any, error) {
		if cert := g.kept(key, now); cert != nil {
			return cert, nil
		}
		priv, err := a.keys[k]()
		if err != nil {
			return nil, fmt.Errorf("make the leaves' key: %w", err)
		}
		cert, err := g.ca.mint(priv, names, now, k)
		if err != nil {
			return nil, err
		}
		g.keep(key, leaf{cert, renewal(cert.Leaf, g.ca)}, a.size)
		a.onMint()
		return cert, nil
	})
	if err != nil {
		return nil, err
	}
	return minted.(*tls.Certificate), nil
}

// leafNames returns the names of a leaf, its CN first. One name that the CA does
// not permit would make clients reject the whole leaf, so it is an error as n and
// dropped from extra.
func (g *generation) leafNames(n host.Name, extra []host.Name) ([]string, error) {
	if n.IsZero() {
		if len(g.names) == 0 {
			return nil, fmt.Errorf("mint a leaf without a host: the CA permits none of the configured names")
		}
		if len(extra) == 0 || !g.ca.Permits(extra[0]) {
			return g.names, nil
		}
		first := extra[0].String()
		return append([]string{first}, slices.DeleteFunc(slices.Clone(g.names), func(n string) bool { return n == first })...), nil
	}
	if !g.ca.Permits(n) {
		return nil, NotPermittedError(n.String())
	}
	names := []string{n.String()}
	for _, e := range extra {
		if name := e.String(); g.ca.Permits(e) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}
