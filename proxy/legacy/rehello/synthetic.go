package rehello

import (
	"golang.org/x/crypto/cryptobyte"

	"tlslift/proxy/hello"
)

// synthetic returns the hello that crypto/tls gets in place of h. It has the same
// random and suites, and only the extensions that choose an ephemeral key or signal
// secure renegotiation. Omitted extensions get no answer, as if the server did not
// support them.
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
		extension(b, hello.ExtSupportedGroups, func(b *cryptobyte.Builder) {
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
				for _, g := range h.Groups {
					b.AddUint16(g)
				}
			})
		})
		extension(b, hello.ExtPointFormats, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(h.PointFormats) })
		})
		extension(b, hello.ExtRenegotiationInfo, func(b *cryptobyte.Builder) { b.AddUint8(0) })
	})
}
