// Package hello parses ClientHellos, however they are split into TCP segments and
// TLS records, and in SSL 2.0 framing too. It finds the highest version offered,
// fingerprints the hello (JA4) and guesses which library wrote it. For spliced
// connections, it also parses the server's first message and follows the records.
//
// The package does no I/O of its own, except that Read reads from its argument. It
// never panics on hostile input, and its memory and time are linear in the bytes it
// is given.
package hello

import (
	"errors"
	"slices"
)

// MaxSize is the maximum size of a ClientHello on the wire, in bytes, including
// record headers.
const MaxSize = 64 << 10

// Usual is a size, in bytes, that no hello in use exceeds. Hellos with post-quantum
// key shares take 2 KiB.
const Usual = 16 << 10

var (
	// ErrIncomplete means that all bytes so far are valid and more are needed.
	ErrIncomplete = errors.New("ClientHello is not complete yet")
	// ErrNotTLS means that the bytes are not a TLS or SSL handshake at all.
	ErrNotTLS = errors.New("not a TLS handshake")
	// ErrMalformed means that the bytes began like a handshake but violate RFC 8446
	// section 4.1.2 or 5.1, or RFC 5246 appendix E.2.
	ErrMalformed = errors.New("malformed TLS handshake")
	// ErrTooLarge means that the hello exceeds the permitted size.
	ErrTooLarge = errors.New("ClientHello is too large")
)

// Framing is how a ClientHello was framed on the wire. Its String is the value of
// the metrics label "framing".
type Framing uint8

// Framings of a ClientHello.
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

// The protocol versions as on the wire. A hello that offers only SSL 2.0 carries
// VersionSSL2.
const (
	VersionSSL2  uint16 = 0x0002
	VersionSSL3  uint16 = 0x0300
	VersionTLS10 uint16 = 0x0301
	VersionTLS11 uint16 = 0x0302
	VersionTLS12 uint16 = 0x0303
	VersionTLS13 uint16 = 0x0304
)

// ClientHello is what a client offered. Lists are in the client's order and
// hold everything it sent, including GREASE (RFC 8701) and signals.
type ClientHello struct {
	Framing       Framing
	RecordVersion uint16 // of the first record; VersionSSL2 in SSL 2.0 framing
	LegacyVersion uint16 // the version field of the hello itself
	// MaxVersion is the highest version offered: the highest in supported_versions,
	// without GREASE, or else LegacyVersion, up to TLS 1.2 (RFC 8446 4.2.1).
	MaxVersion uint16

	Random       [32]byte // an SSL 2.0 challenge is left-padded with zeros
	SessionID    []byte
	CipherSuites []uint16 // of an SSL 2.0 hello: the specs that are TLS suites
	SSLv2Ciphers []uint32 // the other specs of an SSL 2.0 hello, three bytes each
	Compression  []byte

	Extensions          []uint16
	ServerName          string // lower case, no trailing dot; "" if there is none, or it is not a valid host name
	ServerNameDot       bool   // the name ended in a dot, which crypto/tls rejects
	ALPN                []string
	Groups              []uint16
	PointFormats        []byte
	SignatureAlgorithms []uint16
	SupportedVersions   []uint16
	SessionTicket       bool // offers or presents a ticket (RFC 5077)
	Ticket              bool // presents one
	ExtendedMaster      bool // RFC 7627
	FallbackSCSV        bool // this is a retry with a lower version (RFC 7507)

	// Message is the input to the handshake hash: the handshake message with its
	// 4-byte header, or the body of an SSL 2.0 hello without its 2-byte length. It
	// may alias the bytes that were parsed.
	Message []byte
}

// Detach sets Message to nil and copies the other byte slices, so the hello no
// longer keeps the bytes that it was parsed from in memory.
func (h *ClientHello) Detach() {
	h.Message = nil
	for _, field := range []*[]byte{&h.SessionID, &h.Compression, &h.PointFormats} {
		*field = slices.Clone(*field)
	}
}

// Modern reports whether the client offers TLS 1.2 or higher.
func (h *ClientHello) Modern() bool { return h.MaxVersion >= VersionTLS12 }

// HasExtension reports whether the hello has the extension.
func (h *ClientHello) HasExtension(ext uint16) bool { return slices.Contains(h.Extensions, ext) }

// SNI reports whether the hello has a server_name extension, usable or not.
func (h *ClientHello) SNI() bool { return h.HasExtension(extServerName) }

// HasCipher reports whether the hello offers the suite.
func (h *ClientHello) HasCipher(suite uint16) bool { return slices.Contains(h.CipherSuites, suite) }

// Parse parses one ClientHello at the start of raw. n is the number of bytes that
// it took, in whole records; Parse ignores what follows. With ErrIncomplete, n is
// the least number of bytes that can hold the hello. Other errors wrap ErrNotTLS or
// ErrMalformed.
func Parse(raw []byte) (h *ClientHello, n int, err error) {
	var a assembler
	need, err := a.advance(raw)
	if err != nil {
		return nil, need, err
	}
	h, err = a.hello(raw)
	return h, a.end, err
}
