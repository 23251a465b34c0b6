package hello

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"tlslift/proxy/host"
)

// Extensions that other packages write or judge too.
const (
	ExtSupportedGroups   uint16 = 10    // RFC 8422 5.1.1
	ExtPointFormats      uint16 = 11    // RFC 8422 5.1.2
	ExtRenegotiationInfo uint16 = 65281 // RFC 5746 3.2
)

// The other extensions whose content is parsed.
const (
	extServerName          uint16 = 0  // RFC 6066 3
	extSignatureAlgorithms uint16 = 13 // RFC 5246 7.4.1.4.1
	extALPN                uint16 = 16 // RFC 7301 3.1
	extExtendedMaster      uint16 = 23 // RFC 7627
	extSessionTicket       uint16 = 35 // RFC 5077 3.2
	extSupportedVersions   uint16 = 43 // RFC 8446 4.2.1
)

// parseTLS parses the body of a ClientHello (RFC 8446 4.1.2). It is as strict as
// crypto/tls about what it parses, but accepts a server name with a trailing dot.
func (h *ClientHello) parseTLS(body []byte) error {
	s := cryptobyte.String(body)
	var random []byte
	var session, suites, compression, extensions cryptobyte.String
	if !s.ReadUint16(&h.LegacyVersion) || !s.ReadBytes(&random, len(h.Random)) ||
		!s.ReadUint8LengthPrefixed(&session) || !s.ReadUint16LengthPrefixed(&suites) ||
		!s.ReadUint8LengthPrefixed(&compression) {
		return fmt.Errorf("%w: ClientHello is cut short", ErrMalformed)
	}
	if len(suites)%2 != 0 {
		return fmt.Errorf("%w: odd cipher suite list", ErrMalformed)
	}
	copy(h.Random[:], random)
	h.SessionID, h.Compression = session, compression
	h.CipherSuites = uint16s(suites)
	h.FallbackSCSV = h.HasCipher(FallbackSCSV)
	if !s.Empty() && (!s.ReadUint16LengthPrefixed(&extensions) || !s.Empty()) {
		return fmt.Errorf("%w: extension list does not fill the ClientHello", ErrMalformed)
	}
	if err := h.parseExtensions(extensions); err != nil {
		return err
	}
	h.MaxVersion = highest(h.LegacyVersion, h.SupportedVersions)
	return nil
}

// highest returns the highest version offered. It ignores GREASE: a
// supported_versions list with nothing else offers no version, which is 0.
func highest(legacy uint16, supported []uint16) uint16 {
	if len(supported) == 0 {
		return min(legacy, VersionTLS12)
	}
	var top uint16
	for _, v := range supported {
		if !grease(v) {
			top = max(top, v)
		}
	}
	return top
}

// grease reports whether v is one of the reserved values of RFC 8701.
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

func (h *ClientHello) parseExtensions(list cryptobyte.String) error {
	if list.Empty() {
		return nil
	}
	h.Extensions = make([]uint16, 0, 16)
	seen := make(map[uint16]bool, 16)
	for !list.Empty() {
		var ext uint16
		var body cryptobyte.String
		if !list.ReadUint16(&ext) || !list.ReadUint16LengthPrefixed(&body) {
			return fmt.Errorf("%w: extension list is cut short", ErrMalformed)
		}
		if seen[ext] {
			return fmt.Errorf("%w: extension %d comes twice", ErrMalformed, ext)
		}
		seen[ext] = true
		h.Extensions = append(h.Extensions, ext)
		if !h.parseExtension(ext, body) {
			return fmt.Errorf("%w: extension %d", ErrMalformed, ext)
		}
	}
	return nil
}

func (h *ClientHello) parseExtension(ext uint16, body cryptobyte.String) (ok bool) {
	var list cryptobyte.String
	switch ext {
	case extServerName:
		return h.parseServerName(body)
	case ExtSupportedGroups:
		h.Groups, ok = readUint16List(&body)
	case extSignatureAlgorithms:
		h.SignatureAlgorithms, ok = readUint16List(&body)
	case ExtPointFormats:
		ok = body.ReadUint8LengthPrefixed(&list) && !list.Empty()
		h.PointFormats = list
	case extALPN:
		h.ALPN, ok = readALPN(&body)
	case extSupportedVersions:
		ok = body.ReadUint8LengthPrefixed(&list) && !list.Empty() && len(list)%2 == 0
		h.SupportedVersions = uint16s(list)
	case extSessionTicket:
		h.SessionTicket, h.Ticket = true, len(body) > 0
		return true
	case extExtendedMaster:
		h.ExtendedMaster, ok = true, true
	default:
		return true
	}
	return ok && body.Empty()
}

// parseServerName parses the server_name extension (RFC 6066 3), which may hold at
// most one host name among names of other types.
func (h *ClientHello) parseServerName(body cryptobyte.String) bool {
	var names cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&names) || names.Empty() || !body.Empty() {
		return false
	}
	seen := false
	for !names.Empty() {
		var typ uint8
		var name cryptobyte.String
		if !names.ReadUint8(&typ) || !names.ReadUint16LengthPrefixed(&name) || name.Empty() {
			return false
		}
		if typ != 0 {
			continue
		}
		if seen {
			return false
		}
		seen = true
		h.ServerName, h.ServerNameDot = hostOf(string(name)), bytes.HasSuffix(name, []byte("."))
	}
	return true
}

// hostOf returns the host for a name in server_name, or "" if the name is not a
// valid host. An unchecked name from an unknown client would end up in logs and
// certificates.
func hostOf(name string) string {
	n, err := host.Parse(name)
	if err != nil {
		return ""
	}
	return n.String()
}

func readALPN(body *cryptobyte.String) (protos []string, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || list.Empty() {
		return nil, false
	}
	for !list.Empty() {
		var proto cryptobyte.String
		if !list.ReadUint8LengthPrefixed(&proto) || proto.Empty() {
			return nil, false
		}
		protos = append(protos, string(proto))
	}
	return protos, true
}

func readUint16List(body *cryptobyte.String) (values []uint16, ok bool) {
	var list cryptobyte.String
	if !body.ReadUint16LengthPrefixed(&list) || list.Empty() || len(list)%2 != 0 {
		return nil, false
	}
	return uint16s(list), true
}

// uint16s returns the values of a list whose length is even.
func uint16s(list cryptobyte.String) []uint16 {
	values := make([]uint16, len(list)/2)
	for i := range values {
		list.ReadUint16(&values[i])
	}
	return values
}
