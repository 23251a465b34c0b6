package hello

// Ending is what a TLS connection that was relayed untouched came to, as its
// records show it: whether the client called, and if not, how it left.
type Ending uint8

// The endings. A call is a record of the client's after its handshake that is
// neither its Finished nor an alert, followed by one of the server's.
const (
	// NothingSaid: the connection ended before the client had seen a
	// certificate, and not by an alert of either side.
	NothingSaid Ending = iota
	// Called: the client made a call.
	Called
	// Refused: the server answered the hello with an alert.
	Refused
	// Rejected: the client answered the server's certificate with an alert that
	// is about it, or with one that is encrypted.
	Rejected
	// GaveUp: the client ended the handshake with another alert.
	GaveUp
	// HungUp: the client saw the certificate and closed the connection without
	// an alert.
	HungUp
	// Left: the client completed the handshake and left with a close_notify.
	Left
	// LeftSilently: the client completed the handshake and closed the connection
	// without an alert. GnuTLS's wget and Node.js do so when they do not trust the
	// certificate; so do health checks.
	LeftSilently
	// Cut: it was not the client that ended the connection.
	Cut
)

var endingWords = [...]string{"nothing said", "called", "refused", "rejected", "gave up", "hung up", "left", "left silently", "cut"}

func (e Ending) String() string { return endingWords[e] }

// encryptedAlert is the greatest length of an alert's record in TLS 1.3: the
// alert, the padding that JSSE adds, its type, and the suite's tag (RFC 8446
// sections 5.2 and 6). A Finished takes 45 bytes at least.
const encryptedAlert = 2 + 16 + 1 + 16

// conversation follows a connection up to its first call. It gets
// the records in order, without the hellos themselves.
type conversation struct {
	shown    bool // the server has sent what its certificate is in
	changed  bool // TLS 1.2: the client has changed to its keys
	accepted bool // the client went on after the certificate
	data     bool // the client sent application data
	called   bool
	alert    Ending // of the client's alert: Rejected, GaveUp or Left; 0 = none came
}

// client takes a record of the client's. alert is the number of one in clear.
func (c *conversation) client(version uint16, kind byte, length int, alert *[2]byte) {
	switch {
	case c.called || c.alert != 0:
	case kind == recordAlert:
		c.alerted(alert)
	case version == 0: // early data
		c.data = c.data || kind == recordData
	case version >= VersionTLS13:
		c.sealed(kind, length)
	case kind == recordCCS:
		c.changed, c.accepted = true, true
	case kind == recordHandshake:
		c.accepted = true
	case kind == recordData:
		c.data = true
	}
}

// sealed takes a record of TLS 1.3, whose kind says nothing.
func (c *conversation) sealed(kind byte, length int) {
	switch {
	case kind != recordData || !c.shown:
	case length > encryptedAlert && c.accepted:
		c.data = true
	case length > encryptedAlert:
		c.accepted = true
	case c.accepted:
		c.alert = Left // or a rejection; close_notify is far more common
	case !c.data: // else the end of the early data (RFC 8446 section 4.5)
		c.alert = Rejected
	}
}

// alerted takes an alert whose record says that it is one.
func (c *conversation) alerted(alert *[2]byte) {
	const closeNotify = 0
	switch {
	case alert == nil || c.changed: // encrypted
		c.alert = Left
	case RejectsCertificate(alert[1]):
		c.alert = Rejected
	case alert[1] == closeNotify:
		c.alert = Left
	default:
		c.alert = GaveUp
	}
}

// RejectsCertificate reports whether a client's alert of that number is about the
// certificate that it was shown (RFC 8446 section 6.2).
func RejectsCertificate(alert uint8) bool {
	const badCertificate, certificateUnknown, unknownCA = 42, 46, 48
	return alert >= badCertificate && alert <= certificateUnknown || alert == unknownCA
}

// server takes a record of the server's that comes with its hello, or later.
func (c *conversation) server(version uint16, kind byte) {
	switch {
	case kind != recordData:
		c.shown = c.shown || version < VersionTLS13
	case c.data && c.accepted:
		c.called = true
	default:
		c.shown = true
	}
}

// ending is what it has come to. refused says that the server answered the hello
// with an alert, byClient that the client was the first to end its side.
func (c *conversation) ending(refused, byClient bool) Ending {
	switch {
	case c.called:
		return Called
	case refused:
		return Refused
	case c.alert == Left && !c.accepted:
		return GaveUp
	case c.alert != 0:
		return c.alert
	case !byClient || c.data:
		return Cut
	case c.accepted:
		return LeftSilently
	case c.shown:
		return HungUp
	default:
		return NothingSaid
	}
}
