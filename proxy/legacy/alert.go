package legacy

import (
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"time"

	"tlslift/proxy/hello"
)

// Alert is a TLS alert's description (RFC 8446 section 6).
type Alert uint8

// The alerts that this package distinguishes or sends.
const (
	AlertCloseNotify           Alert = 0
	AlertHandshakeFailure      Alert = 40
	AlertBadCertificate        Alert = 42
	AlertAccessDenied          Alert = 49
	AlertDecodeError           Alert = 50
	AlertProtocolVersion       Alert = 70
	AlertInternalError         Alert = 80
	AlertInappropriateFallback Alert = 86 // RFC 7507
	AlertUserCanceled          Alert = 90
	AlertUnrecognizedName      Alert = 112
	AlertNone                  Alert = 255
)

const (
	alertFatal = 2
	// lingerTime and lingerBytes limit the wait for a client to read an alert.
	// Closing with unread bytes from the client would reset the connection, and the
	// reset could overtake the alert.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// Refuse sends a fatal alert in the client's own record version, waits at most
// half a second for the client to read it, and closes conn. A client that speaks
// only SSL 2.0 gets that protocol's error. h is nil if the hello could not be read.
func Refuse(conn net.Conn, h *hello.ClientHello, alert Alert) {
	_ = conn.SetWriteDeadline(time.Now().Add(lingerTime))
	if _, err := conn.Write(refusal(h, alert)); err == nil {
		linger(conn)
	}
	conn.Close()
}

func refusal(h *hello.ClientHello, alert Alert) []byte {
	version := hello.VersionTLS10
	switch {
	case h == nil:
	case h.Framing == hello.SSLv2 && h.LegacyVersion < hello.VersionSSL3:
		return []byte{0x80, 3, 0, 0, 1} // ERROR, NO-CIPHER-ERROR
	case h.Framing == hello.SSLv2:
		version = min(h.LegacyVersion, hello.VersionTLS12)
	default:
		version = min(max(h.RecordVersion, hello.VersionSSL3), hello.VersionTLS12)
	}
	record := binary.BigEndian.AppendUint16([]byte{hello.RecordAlert}, version)
	return append(record, 0, 2, alertFatal, byte(alert))
}

// linger half-closes the connection and, for at most lingerTime, reads what the
// client still sends.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, conn, lingerBytes)
	}
}

// singleAlert passes one alert and drops later ones: tls.Conn.Close sends
// close_notify even after a fatal alert, and some old clients take that for an
// answer. It records what was sent and, until established, the client's alerts.
type singleAlert struct {
	net.Conn
	sent     atomic.Bool
	answered bool // a handshake record was sent; used only by the handshake's goroutine

	established bool
	client      hello.FatalAlert
}

func (c *singleAlert) alerted() bool { return c.sent.Load() }

// NetConn returns the underlying connection, as tls.Conn.NetConn does.
func (c *singleAlert) NetConn() net.Conn { return c.Conn }

// Read records cleartext alerts, which crypto/tls cannot read once its keys have
// changed. OpenSSL sends such an alert when it rejects a certificate in TLS 1.3.
func (c *singleAlert) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.established {
		c.client.Add(p[:n])
	}
	return n, err
}

// Write drops alerts after the first. crypto/tls calls it with whole records.
func (c *singleAlert) Write(p []byte) (int, error) {
	for rest := p; len(rest) >= hello.RecordHeader; {
		if rest[0] == hello.RecordHandshake && !c.answered {
			c.answered = true
		}
		if rest[0] == hello.RecordAlert && c.sent.Swap(true) {
			n, err := c.Conn.Write(p[:len(p)-len(rest)])
			if err != nil {
				return n, err
			}
			return len(p), nil
		}
		rest = rest[min(len(rest), hello.RecordHeader+int(binary.BigEndian.Uint16(rest[3:]))):]
	}
	return c.Conn.Write(p)
}
