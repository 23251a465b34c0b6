// Package hello reads what a TLS client says first: its ClientHello, however
// it is cut into TCP segments and TLS records, or framed as SSL 2.0 did. It
// finds the highest version offered, fingerprints the hello (JA4) and
// guesses the library that wrote it. It reads the server's first answer too,
// for connections that are relayed untouched.
//
// The package is pure: bytes in, values out. It never panics on hostile
// input, and its memory and time are linear in the bytes it is given.
package hello

import (
	"errors"
	"slices"
)

// MaxSize is the most bytes a ClientHello may take on the wire, record
// headers included: what the callers of this package pass to Read.
const MaxSize = 64 << 10

// Usual is more than any hello in use takes, in bytes: those with post-quantum
// key shares take 2 KiB.
const Usual = 16 << 10

var (
	// ErrIncomplete says that all bytes so far are right and more are needed.
	ErrIncomplete = errors.New("ClientHello is not complete yet")
	// ErrNotTLS says that the bytes are no TLS or SSL handshake at all.
	ErrNotTLS = errors.New("not a TLS handshake")
	// ErrMalformed says that the bytes began as a handshake and then broke the
	// rules of RFC 8446 section 4.1.2 or 5.1, or of RFC 5246 appendix E.2.
	ErrMalformed = errors.New("malformed TLS handshake")
	// ErrTooLarge says that the hello did not end within the permitted size.
	ErrTooLarge = errors.New("ClientHello is too large")
)

// Framing is how a ClientHello was put on the wire. Its String is the value
// of the metrics label "framing".
type Framing uint8

// The framings.
const (
	TLS   Framing = iota // TLS records (SSL 3.0 and later)
	SSLv2                // the two-byte header of SSL 2.0 (RFC 5246 E.2)
)

func (f Framing) String() string {
	if f == SSLv2 {
		return "sslv2"
	}
	return "tls"
}

// Cipher suite values that are signals, not ciphers.
const (
	RenegotiationSCSV uint16 = 0x00ff // RFC 5746 3.3
	FallbackSCSV      uint16 = 0x5600 // RFC 7507
)

// The versions of the wire format. VersionSSL2 is what a hello that offers
// SSL 2.0 alone carries.
const (
	VersionSSL2  uint16 = 0x0002
	VersionSSL3  uint16 = 0x0300
	VersionTLS10 uint16 = 0x0301
	VersionTLS11 uint16 = 0x0302
	VersionTLS12 uint16 = 0x0303
	VersionTLS13 uint16 = 0x0304
)

// ClientHello is what a client offered. Lists are in the client's order and
// hold everything it sent, GREASE (RFC 8701) and signals included.
type ClientHello struct {
	Framing       Framing
	RecordVersion uint16 // of the first record; VersionSSL2 when so framed
	LegacyVersion uint16 // the version field of the hello itself
	// MaxVersion is the highest version offered: of supported_versions
	// without GREASE, else LegacyVersion, which cannot say more than TLS 1.2
	// (RFC 8446 4.2.1).
	MaxVersion uint16

	Random       [32]byte // an SSL 2.0 challenge is left-padded with zeros
	SessionID    []byte
	CipherSuites []uint16 // of an SSL 2.0 hello: those specs that are TLS suites
	SSLv2Ciphers []uint32 // the other specs of an SSL 2.0 hello, three bytes each
	Compression  []byte

	Extensions          []uint16
	ServerName          string // lower case, no trailing dot; "" = none, or nothing a host can be called
	ServerNameDot       bool   // the name ended in a dot, which crypto/tls refuses
	ALPN                []string
	Groups              []uint16
	PointFormats        []byte
	SignatureAlgorithms []uint16
	SupportedVersions   []uint16
	SessionTicket       bool // offers or presents a ticket (RFC 5077)
	Ticket              bool // presents one
	ExtendedMaster      bool // RFC 7627
	FallbackSCSV        bool // this is a second, lower try (RFC 7507)

	// Message is what enters the handshake hash: the handshake message with
	// its 4-byte header, or the body of an SSL 2.0 hello without its 2-byte
	// length. It may share memory with the bytes that were parsed.
	Message []byte
}

// Detach lets go of the bytes that the hello was parsed from, which would live as
// long as it does: Message is nil afterwards, all else stays.
func (h *ClientHello) Detach() {
	h.Message = nil
	for _, field := range []*[]byte{&h.SessionID, &h.Compression, &h.PointFormats} {
		*field = slices.Clone(*field)
	}
}

// Modern reports whether the client offers TLS 1.2 or higher.
func (h *ClientHello) Modern() bool { return h.MaxVersion >= VersionTLS12 }

// HasExtension reports whether the hello carries the extension.
func (h *ClientHello) HasExtension(ext uint16) bool {
	for _, e := range h.Extensions {
		if e == ext {
			return true
		}
	}
	return false
}

// SNI reports whether the hello names a server, usable or not.
func (h *ClientHello) SNI() bool { return h.HasExtension(extServerName) }

// HasCipher reports whether the hello offers the suite.
func (h *ClientHello) HasCipher(suite uint16) bool {
	for _, s := range h.CipherSuites {
		if s == suite {
			return true
		}
	}
	return false
}

// Parse reads one ClientHello from the start of raw. n is the number of bytes
// it took, whole records; what follows is not looked at. With ErrIncomplete, n
// is the least number of bytes that can hold it. Other errors wrap ErrNotTLS
// or ErrMalformed.
func Parse(raw []byte) (h *ClientHello, n int, err error) {
	var a assembler
	need, err := a.advance(raw)
	if err != nil {
		return nil, need, err
	}
	h, err = a.hello(raw)
	return h, a.end, err
}
