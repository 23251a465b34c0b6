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

// The alerts that are distinguished or sent.
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
	recordAlert     = 21
	recordHandshake = 22
	recordHeader    = 5
	alertFatal      = 2
	// lingerTime and lingerBytes bound the wait for a client to take an alert.
	// Closing with bytes of its unread would reset the connection, and the
	// reset could overtake the alert.
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// Refuse sends a fatal alert in the client's own record version, waits at most
// half a second for the client to take it, and closes conn. A client that
// speaks SSL 2.0 alone gets that protocol's error. h is nil when the hello
// could not be read.
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
	record := binary.BigEndian.AppendUint16([]byte{recordAlert}, version)
	return append(record, 0, 2, alertFatal, byte(alert))
}

// linger ends our side of the connection and takes what the client still
// sends, for a short while.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, conn, lingerBytes)
	}
}

// singleAlert lets one alert pass and swallows later ones: tls.Conn.Close
// sends a close_notify even after a fatal alert, which some old clients take
// for an answer. It notes what was sent and, until established, what the client
// sent.
type singleAlert struct {
	net.Conn
	sent     atomic.Bool
	answered bool // with a ServerHello and what goes with it; for the goroutine of the handshake

	established bool
	client      hello.FatalAlert
}

func (c *singleAlert) alerted() bool { return c.sent.Load() }

// NetConn returns the connection beneath, as tls.Conn.NetConn does.
func (c *singleAlert) NetConn() net.Conn { return c.Conn }

// Read notes alerts in clear: after its keys have changed, crypto/tls cannot read
// those. OpenSSL sends such a one when it rejects a certificate in TLS 1.3.
func (c *singleAlert) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.established {
		c.client.Add(p[:n])
	}
	return n, err
}

// Write is called by crypto/tls with whole records.
func (c *singleAlert) Write(p []byte) (int, error) {
	for rest := p; len(rest) >= recordHeader; {
		if rest[0] == recordHandshake && !c.answered {
			c.answered = true
		}
		if rest[0] == recordAlert && c.sent.Swap(true) {
			n, err := c.Conn.Write(p[:len(p)-len(rest)])
			if err != nil {
				return n, err
			}
			return len(p), nil
		}
		rest = rest[min(len(rest), recordHeader+int(binary.BigEndian.Uint16(rest[3:]))):]
	}
	return c.Conn.Write(p)
}
