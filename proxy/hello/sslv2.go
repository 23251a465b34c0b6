package hello

import (
	"encoding/binary"
	"fmt"
)

const (
	sslv2Fixed        = 9 // type, version and three lengths
	sslv2MinChallenge = 16
	sslv2MaxChallenge = 32
	sslv2MaxSessionID = 32
	sslv2Spec         = 3
)

// advanceSSLv2 is advance for the two-byte header of SSL 2.0: the high bit is set
// and 15 bits of length follow, then message type 1.
func (a *assembler) advanceSSLv2(raw []byte) (need int, err error) {
	if len(raw) > 2 && raw[2] != typeClientHello {
		return 0, fmt.Errorf("%w: neither a record nor an SSL 2.0 hello", ErrNotTLS)
	}
	if len(raw) > 3 && raw[3] != 3 && raw[3] != 0 {
		return 0, fmt.Errorf("%w: SSL 2.0 hello of version %d.x", ErrNotTLS, raw[3])
	}
	if len(raw) < sslv2Header+sslv2Fixed {
		return sslv2Header + sslv2Fixed, ErrIncomplete
	}
	size := int(binary.BigEndian.Uint16(raw) & 0x7fff)
	if size < sslv2Fixed+sslv2MinChallenge {
		return 0, fmt.Errorf("%w: SSL 2.0 hello of %d bytes", ErrMalformed, size)
	}
	if len(raw) < sslv2Header+size {
		return sslv2Header + size, ErrIncomplete
	}
	a.framing, a.version, a.end = SSLv2, VersionSSL2, sslv2Header+size
	return a.end, nil
}

// parseSSLv2 parses the body of an SSL 2.0 CLIENT-HELLO (RFC 5246 E.2). The
// challenge becomes the client's random, right-aligned.
func (h *ClientHello) parseSSLv2(body []byte) error {
	specs := int(binary.BigEndian.Uint16(body[3:]))
	session := int(binary.BigEndian.Uint16(body[5:]))
	challenge := int(binary.BigEndian.Uint16(body[7:]))
	switch {
	case specs == 0 || specs%sslv2Spec != 0:
		return fmt.Errorf("%w: SSL 2.0 cipher specs of %d bytes", ErrMalformed, specs)
	case session > sslv2MaxSessionID:
		return fmt.Errorf("%w: SSL 2.0 session id of %d bytes", ErrMalformed, session)
	case challenge < sslv2MinChallenge || challenge > sslv2MaxChallenge:
		return fmt.Errorf("%w: SSL 2.0 challenge of %d bytes", ErrMalformed, challenge)
	case sslv2Fixed+specs+session+challenge != len(body):
		return fmt.Errorf("%w: SSL 2.0 lengths do not add up", ErrMalformed)
	}
	h.LegacyVersion = binary.BigEndian.Uint16(body[1:])
	h.MaxVersion = min(h.LegacyVersion, VersionTLS12)
	rest := body[sslv2Fixed:]
	h.CipherSuites = make([]uint16, 0, specs/sslv2Spec)
	for s := rest[:specs]; len(s) > 0; s = s[sslv2Spec:] {
		if s[0] == 0 {
			h.CipherSuites = append(h.CipherSuites, binary.BigEndian.Uint16(s[1:]))
		} else {
			h.SSLv2Ciphers = append(h.SSLv2Ciphers, uint32(s[0])<<16|uint32(s[1])<<8|uint32(s[2]))
		}
	}
	h.FallbackSCSV = h.HasCipher(FallbackSCSV)
	h.SessionID = rest[specs : specs+session : specs+session]
	copy(h.Random[len(h.Random)-challenge:], rest[specs+session:])
	return nil
}
