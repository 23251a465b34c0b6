package rehello

import (
	"golang.org/x/crypto/cryptobyte"

	"tlslift/proxy/hello"
)

// Extensions that crypto/tls looks at below TLS 1.2 and that a client must
// have offered for the answer to hold them.
const (
	extSupportedGroups   uint16 = 10
	extPointFormats      uint16 = 11
	extRenegotiationInfo uint16 = 65281
)

// synthetic is the hello that crypto/tls gets in place of h: the same random
// and suites, and only those extensions that choose an ephemeral key or signal
// secure renegotiation. Whatever is left out is not answered, as if the server
// did not know it.
func synthetic(h *hello.ClientHello) []byte {
	version := h.MaxVersion
	if h.Framing == hello.SSLv2 {
		version = hello.VersionTLS10
	}
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint16(version)
		b.AddBytes(h.Random[:])
		b.AddUint8(0) // no session: there is nothing to resume
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, suite := range h.CipherSuites {
				b.AddUint16(suite)
			}
		})
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) {
			if h.Framing == hello.SSLv2 {
				b.AddUint8(0)
			} else {
				b.AddBytes(h.Compression)
			}
		})
		addExtensions(b, h)
	})
	return b.BytesOrPanic()
}

func addExtensions(b *cryptobyte.Builder, h *hello.ClientHello) {
	if len(h.Extensions) == 0 {
		return
	}
	extension := func(b *cryptobyte.Builder, id uint16, body func(*cryptobyte.Builder)) {
		if h.HasExtension(id) {
			b.AddUint16(id)
			b.AddUint16LengthPrefixed(body)
		}
	}
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		extension(b, extSupportedGroups, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, g := range h.Groups {
					b.AddUint16(g)
				}
			})
		})
		extension(b, extPointFormats, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(h.PointFormats) })
		})
		extension(b, extRenegotiationInfo, func(b *cryptobyte.Builder) { b.AddUint8(0) })
	})
}
