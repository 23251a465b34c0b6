package dial

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"tlslift/proxy/host"
)

// Loops knows our open connections and ClientHellos in flight, to recognise them when
// they come back to tlslift. The zero value is ready for use.
type Loops struct {
	sockets registry[ends]
	hellos  registry[[32]byte]
}

// OwnSocket reports whether a connection from peer to local, as the accepting side
// sees them, is an open connection of ours. A socket is registered before its first
// byte is written, so call OwnSocket after reading a byte.
func (l *Loops) OwnSocket(peer, local netip.AddrPort) bool {
	return l.sockets.sawAgain(ends{local: host.CanonicalPort(peer), remote: host.CanonicalPort(local)})
}

// OwnHello reports whether random belongs to a ClientHello (RFC 8446 section 4.1.2)
// that is being sent, or was registered.
func (l *Loops) OwnHello(random [32]byte) bool { return l.hellos.sawAgain(random) }

// RegisterHello makes OwnHello report random until release is called, which may be
// done more than once. cameBack means that OwnHello has reported it.
func (l *Loops) RegisterHello(random [32]byte) (release func() (cameBack bool)) {
	s := l.hellos.add(random)
	return sync.OnceValue(func() bool {
		l.hellos.drop(s)
		return s.back.Load()
	})
}

// ends are the two addresses of a connection, ours first. Our address alone is not
// enough: the kernel gives one local port to several connections if they lead to
// different places.
type ends struct{ local, remote netip.AddrPort }

// inFlight is something of ours that is in flight, and whether it came back.
type inFlight[K comparable] struct {
	key   K
	times int // adds without a drop; guarded by the registry's lock
	back  atomic.Bool
}

type registry[K comparable] struct {
	mu   sync.Mutex
	open map[K]*inFlight[K]
}

// add keeps a key until drop is called with the result, once for each add.
func (r *registry[K]) add(key K) *inFlight[K] {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = make(map[K]*inFlight[K])
	}
	s := r.open[key]
	if s == nil {
		s = &inFlight[K]{key: key}
		r.open[key] = s
	}
	s.times++
	return s
}

func (r *registry[K]) drop(s *inFlight[K]) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.times--; s.times <= 0 {
		delete(r.open, s.key)
	}
}

// sawAgain reports whether the key is in flight, and marks it as come back.
func (r *registry[K]) sawAgain(key K) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.open[key]
	if s != nil {
		s.back.Store(true)
	}
	return s != nil
}

// helloConn registers the ClientHello of its first write.
type helloConn struct {
	net.Conn
	loops   *Loops
	release func() (cameBack bool) // nil = none was written
	wrote   bool
}

func (c *helloConn) Write(p []byte) (int, error) {
	if !c.wrote {
		c.wrote = true
		if random, ok := helloRandom(p); ok {
			c.release = c.loops.RegisterHello(random)
		}
	}
	return c.Conn.Write(p)
}

// done unregisters the hello, and reports whether it came back.
func (c *helloConn) done() (cameBack bool) { return c.release != nil && c.release() }

// helloRandom returns the random of the ClientHello that starts the TLS stream
// b (RFC 8446 sections 4.1.2 and 5.1).
func helloRandom(b []byte) (random [32]byte, ok bool) {
	const (
		record    = 5 // type, version, length
		handshake = 4 // type, length
		version   = 2
		start     = record + handshake + version
	)
	if len(b) < start+len(random) || b[0] != 22 || b[record] != 1 {
		return random, false
	}
	copy(random[:], b[start:])
	return random, true
}
