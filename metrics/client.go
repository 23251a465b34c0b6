package metrics

import (
	"sync/atomic"

	"tlslift/proxy/call"
)

// Client counts what one client does. Callers keep it on the connection; its
// methods may be called from several goroutines, and allocate nothing once a
// series exists. A Client whose label was freed stays safe to use: it passes
// on to whatever label the client has then.
type Client struct {
	m        *Metrics
	name     string
	source   string
	overflow bool // stands for many
	named    bool // configured: never freed; guarded by m.mu

	active atomic.Int64 // Unix seconds of the last use
	freed  atomic.Bool
	times  times
	series handles // series.mu also orders creating series with freeing them

	verdict atomic.Pointer[string]  // guarded by series.mu for writing
	library atomic.Pointer[library] // guarded by series.mu for writing
}

type library struct{ name, source string }

// Name is the value of the client's label: its name, cut to what a label may
// be, or _overflow.
func (c *Client) Name() string { return c.name }

// current is the client to count on: c, unless its label was freed.
func (c *Client) current() *Client {
	if c.freed.Load() {
		return c.m.Client(c.name, c.source)
	}
	return c
}

// use is current for what the client itself did just now. The use is noted
// before freed is read, and free reads it after having set freed: one of the
// two sees the other.
func (c *Client) use(now int64) *Client {
	if c.active.Load() != now {
		c.active.Store(now)
	}
	return c.current()
}

// counter returns the handle of one of the client's series.
func (c *Client) counter(k key) *handle {
	if h := c.series.get(k); h != nil {
		return h
	}
	return c.create(k)
}

// create makes the series of k, or, for a client freed meanwhile, a counter
// that nobody exports.
func (c *Client) create(k key) *handle {
	c.series.mu.Lock()
	defer c.series.mu.Unlock()
	if h := c.series.get(k); h != nil {
		return h
	}
	if c.freed.Load() {
		return c.m.nowhere
	}
	h := &handle{Counter: c.m.clientCounter(c.name, k)}
	c.series.put(k, h)
	return h
}

// Request counts a request that was read: the upstream it is for, the version
// on the client's side, and whether that counts as insecure. requestID becomes
// the exemplar of insecure ones; "" is none.
func (c *Client) Request(upstream string, v call.Version, insecure bool, requestID string) {
	now := c.m.now()
	c = c.use(now)
	up := c.m.upstream(upstream)
	if up.ours {
		c.seenAs(insecure, now)
	}
	h := c.counter(key{family: famRequests, upstream: up, a: uint8(v), b: bit(insecure)})
	if insecure {
		h.incExemplar(requestID, now)
		return
	}
	h.Inc()
}

// Connection counts a connection, once its way in, version and handling are
// known. Of a refused one the version is the highest offered.
//
// What ends in requests (plain) and what is not ours (tunnelled) says nothing
// of how the client stands; neither does a connection refused in clear. One
// that ended before it showed a way in is not counted.
func (c *Client) Connection(in call.Ingress, v call.Version, h call.Handling) {
	now := c.m.now()
	c = c.use(now)
	if v != call.VersionNone {
		switch h {
		case call.Terminated, call.Spliced:
			c.seenAs(v.Insecure(), now)
		case call.Refused:
			c.seen(now)
			if v.Insecure() {
				c.advance(lastInsecure, now)
			}
		}
	}
	c.countConnection(in, v, h)
}

// Attempt counts a connection that shows nothing of how the client stands: it
// came to nothing, or not by the client's doing.
func (c *Client) Attempt(in call.Ingress, v call.Version, h call.Handling) {
	now := c.m.now()
	c = c.use(now)
	if v != call.VersionNone {
		c.seen(now)
	}
	c.countConnection(in, v, h)
}

func (c *Client) countConnection(in call.Ingress, v call.Version, h call.Handling) {
	if in != call.Unknown {
		c.counter(key{family: famConnections, a: uint8(in), b: uint8(v), c: uint8(h)}).Inc()
	}
}

// Hello counts a ClientHello: the highest version it offers, its framing ("tls"
// or "sslv2") and whether it names a server.
func (c *Client) Hello(highest call.Version, framing string, sni bool) {
	now := c.m.now()
	c = c.use(now)
	c.seen(now)
	f := max(framings.index(framing), 0)
	c.counter(key{family: famHellos, a: uint8(highest), b: uint8(f), c: bit(sni)}).Inc()
}

// HandshakeFailure counts a handshake with the client that failed.
func (c *Client) HandshakeFailure(reason HandshakeReason) {
	now := c.m.now()
	c = c.use(now)
	c.seen(now)
	c.counter(key{family: famFailures, a: uint8(reason)}).Inc()
}

// Upgrade counts a request that only tlslift made possible, by the version on
// the client's side. SSL 3.0 is never served, so it is never counted.
func (c *Client) Upgrade(from call.Version) {
	if from == call.VersionSSL3 {
		return
	}
	c.current().counter(key{family: famUpgrades, a: uint8(from)}).Inc()
}

// Credentials counts a secret seen in clear on the client's side, by kind:
// query, basic, bearer, form or soap. Other words are not counted.
func (c *Client) Credentials(kind string) {
	if i := credentials.index(kind); i >= 0 {
		c.current().counter(key{family: famCredentials, a: uint8(i)}).Inc()
	}
}

// Policy counts a decision: allow, warn, brownout or refuse. enforced is false
// in shadow mode. Other words are not counted.
func (c *Client) Policy(decision string, enforced bool) {
	if i := decisions.index(decision); i >= 0 {
		c.current().counter(key{family: famPolicy, a: uint8(i), b: bit(enforced)}).Inc()
	}
}

// Verdict sets the client's current verdict; only the current one is exported.
// "" is none. Clients that only share the label _overflow have none.
func (c *Client) Verdict(word string) {
	c = c.current()
	if known := c.verdict.Load(); c.overflow || known != nil && *known == word {
		return
	}
	c.setVerdict(word)
}

func (c *Client) setVerdict(word string) {
	c.series.mu.Lock()
	defer c.series.mu.Unlock()
	if c.freed.Load() {
		return
	}
	if known := c.verdict.Load(); known != nil {
		c.m.verdict.DeleteLabelValues(c.name, clean(*known))
	}
	if word != "" {
		c.m.verdict.WithLabelValues(c.name, clean(word)).Set(1)
	}
	c.verdict.Store(&word)
}

// Library sets the client's guessed TLS library or runtime ("" is unknown) and
// how the client was named; "" is the rung that the Client was made with. Only
// the current pair is exported. Clients that only share the label _overflow
// have none.
func (c *Client) Library(name, source string) {
	c = c.current()
	if source == "" {
		source = c.source
	}
	if known := c.library.Load(); c.overflow || known != nil && known.name == name && known.source == source {
		return
	}
	c.setLibrary(name, source)
}

func (c *Client) setLibrary(name, source string) {
	c.series.mu.Lock()
	defer c.series.mu.Unlock()
	if c.freed.Load() {
		return
	}
	if known := c.library.Load(); known != nil {
		c.m.library.DeleteLabelValues(known.values(c.name)...)
	}
	now := &library{name, source}
	c.m.library.WithLabelValues(now.values(c.name)...).Set(1)
	c.library.Store(now)
}

func (l *library) values(client string) []string {
	name := l.name
	if name == "" {
		name = "unknown"
	}
	return []string{client, clean(name), clean(l.source)}
}
