package hello

// Ending is how a spliced TLS connection ended, as far as its records show: whether
// the client made a call and, if not, how it left.
type Ending uint8

// Endings of a connection. A call is a record from the client after its handshake,
// other than its Finished and alerts, followed by a record from the server.
const (
	// NothingSaid: the connection ended before the client had seen a
	// certificate, without an alert from either side.
	NothingSaid Ending = iota
	// Called: the client made a call.
	Called
	// Refused: the server answered the hello with an alert.
	Refused
	// Rejected: the client answered the server's certificate with an alert about
	// it, or with an encrypted alert.
	Rejected
	// GaveUp: the client ended the handshake with another alert.
	GaveUp
	// HungUp: the client received the certificate and closed the connection without
	// an alert.
	HungUp
	// Left: the client completed the handshake and left with a close_notify.
	Left
	// LeftSilently: the client completed the handshake and closed the connection
	// without an alert. wget with GnuTLS and Node.js do this if they do not trust
	// the certificate; so do health checks.
	LeftSilently
	// Cut: the client did not end the connection first, or it had sent data that
	// was not answered.
	Cut
)

// encryptedAlert is the maximum length of a TLS 1.3 record that holds an alert: the
// alert, the padding that JSSE adds, the content type, and the AEAD tag (RFC 8446
// sections 5.2 and 6). A Finished takes at least 45 bytes.
const encryptedAlert = 2 + 16 + 1 + 16

// conversation follows a connection up to its first call. It is given the records
// in order.
type conversation struct {
	shown    bool // the server has sent its certificate
	changed  bool // TLS 1.2: the client has sent its ChangeCipherSpec
	accepted bool // the client continued after the certificate
	data     bool // the client sent application data
	called   bool
	alert    Ending // what the client's alert means: Rejected, GaveUp or Left; 0 if it sent none
}

// client processes a record from the client. alert is that of a cleartext alert.
func (c *conversation) client(version uint16, kind byte, length int, alert *[2]byte) {
	switch {
	case c.called || c.alert != 0:
	case kind == RecordAlert:
		c.alerted(alert)
	case version == 0: // early data
		c.data = c.data || kind == recordData
	case version >= VersionTLS13:
		c.sealed(kind, length)
	case kind == recordCCS:
		c.changed, c.accepted = true, true
	case kind == RecordHandshake:
		c.accepted = true
	case kind == recordData:
		c.data = true
	}
}

// sealed processes a TLS 1.3 record from the client, whose type says nothing.
func (c *conversation) sealed(kind byte, length int) {
	switch {
	case kind != recordData || !c.shown:
	case length > encryptedAlert && c.accepted:
		c.data = true
	case length > encryptedAlert:
		c.accepted = true
	case c.accepted:
		c.alert = Left // or a rejection; close_notify is far more common
	case !c.data: // else EndOfEarlyData (RFC 8446 section 4.5)
		c.alert = Rejected
	}
}

// alerted processes a record of type alert.
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

// RejectsCertificate reports whether a client's alert is about the certificate that
// the server sent (RFC 8446 section 6.2).
func RejectsCertificate(alert uint8) bool {
	const badCertificate, certificateUnknown, unknownCA = 42, 46, 48
	return alert >= badCertificate && alert <= certificateUnknown || alert == unknownCA
}

// server processes a record from the server, from its hello on.
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

// ending returns how the connection ended. refused means that the server answered
// the hello with an alert, and byClient that the client was the first to end its
// side.
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
