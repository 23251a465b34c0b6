// Package authority is the certificate authority that old clients are asked
// to trust: a name-constrained RSA intermediate that tlslift signs with, below
// a root that the clients install. It makes the two, loads those of others,
// mints and keeps leaf certificates, and exports what clients need.
//
// A CA that a client trusts can speak for any host, so this one binds itself.
// The constraints sit in the intermediate because Java does not look at those
// of a trust anchor, and the root's key is thrown away because with it one
// could make an intermediate without them.
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
	// Backdate is how far before its making a certificate begins to be valid,
	// for clients whose clocks are slow.
	Backdate = 48 * time.Hour
	// LeafLife is the most a leaf is valid: what client programs will accept
	// of any leaf from 2026-03-15 on is 200 days.
	LeafLife = 199 * 24 * time.Hour
	// defaultCacheSize is the number of leaves kept.
	defaultCacheSize = 1024
	keyBits          = 2048 // the oldest stacks verify no longer keys
)

// Options is what an Authority is made with.
type Options struct {
	CA *CA
	// Names are the configured hosts and *.domain patterns: the names of the
	// leaf for callers that name no host. Those the CA does not permit are
	// left out.
	Names []host.Pattern
	// CacheSize is the most leaves kept, 1024 when 0.
	CacheSize int
	// Now is the clock, time.Now when nil.
	Now func() time.Time
	// OnMint is called after each leaf signed; may be nil.
	OnMint func()
}

// Authority mints leaves. It is safe for concurrent use.
type Authority struct {
	keys    [ofECDSA + 1]func() (crypto.Signer, error) // by kind of leaf
	now     func() time.Time
	onMint  func()
	size    int
	current atomic.Pointer[generation]
}

// generation is all that changes with a reload: leaves of an old CA must not
// outlive it in the cache.
type generation struct {
	ca      *CA
	names   []string
	cache   *leafCache
	flights singleflight.Group
}

// kind is a kind of leaf: its key, and what it is signed with. Each has its own
// place in the cache.
type kind uint8

const (
	ofRSA     kind = iota // an RSA key, signed with SHA-256
	ofRSASHA1             // the same RSA key, signed with SHA-1
	ofECDSA               // a P-256 key, signed with SHA-256
)

// New starts an Authority. Its leaves share one key of each type. The RSA key is
// made in the background at once, so normally no client waits for it.
func New(o Options) (*Authority, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CacheSize <= 0 {
		o.CacheSize = defaultCacheSize
	}
	if o.OnMint == nil {
		o.OnMint = func() {}
	}
	a := &Authority{now: o.Now, onMint: o.OnMint, size: o.CacheSize}
	makeRSA := sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, keyBits) })
	makeECDSA := sync.OnceValues(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
	a.keys = [...]func() (crypto.Signer, error){ofRSA: makeRSA, ofRSASHA1: makeRSA, ofECDSA: makeECDSA}
	if err := a.Reload(o.CA, o.Names); err != nil {
		return nil, err
	}
	go makeRSA() //nolint:errcheck // what needs the key gets the error
	return a, nil
}

// Reload replaces the CA and the names at once. Handshakes under way finish
// with what they have.
func (a *Authority) Reload(ca *CA, names []host.Pattern) error {
	if ca == nil {
		return fmt.Errorf("reload authority: no CA")
	}
	g := &generation{ca: ca, cache: newLeafCache(a.size)}
	// The first name becomes the CN, all that the oldest clients look at.
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
	return nil
}

// Leaf is a certificate for n, and for those of extraSANs that the CA permits.
// No host gives the certificate with all configured names; the first of
// extraSANs, if there is one, is its CN then.
func (a *Authority) Leaf(n host.Name, extraSANs ...host.Name) (*tls.Certificate, error) {
	return a.leaf(ofRSA, n, extraSANs)
}

// LeafSHA1 is Leaf, signed with SHA-1, for clients that can verify nothing
// else.
func (a *Authority) LeafSHA1(n host.Name, extraSANs ...host.Name) (*tls.Certificate, error) {
	return a.leaf(ofRSASHA1, n, extraSANs)
}

// LeafECDSA is Leaf with a P-256 key, for clients that take it: the signature of a
// handshake costs far less than with RSA.
func (a *Authority) LeafECDSA(n host.Name, extraSANs ...host.Name) (*tls.Certificate, error) {
	return a.leaf(ofECDSA, n, extraSANs)
}

func (a *Authority) leaf(k kind, n host.Name, extra []host.Name) (*tls.Certificate, error) {
	g := a.current.Load()
	names, err := g.leafNames(n, extra)
	if err != nil {
		return nil, err
	}
	key := strings.Join(names, " ")
	if k != ofRSA {
		key = fmt.Sprintf("%d %s", k, key)
	}
	now := a.now()
	if cert := g.cache.get(key, now); cert != nil {
		return cert, nil
	}
	minted, err, _ := g.flights.Do(key, func() (any, error) {
		if cert := g.cache.get(key, now); cert != nil {
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
		g.cache.put(key, cert, renewal(cert.Leaf, g.ca))
		a.onMint()
		return cert, nil
	})
	if err != nil {
		return nil, err
	}
	return minted.(*tls.Certificate), nil
}

// leafNames are the names of a leaf, its CN first. What the CA does not
// permit would make the whole leaf worthless, so it is refused as host and
// dropped as extra.
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
