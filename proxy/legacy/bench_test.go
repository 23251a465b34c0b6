package legacy

import (
	"crypto/tls"
	"testing"
)

// BenchmarkHandshake counts both ends: a client's half is about a tenth of a
// new handshake, which is RSA on the server's side, and half of a resumed one.
func BenchmarkHandshake(b *testing.B) {
	for name, cache := range map[string]tls.ClientSessionCache{"new": nil, "resumed": tls.NewLRUClientSessionCache(1)} {
		b.Run(name, func(b *testing.B) {
			s, _ := newTestServer(b, nil)
			config := clientConfig(func(c *tls.Config) {
				c.MaxVersion, c.ClientSessionCache = tls.VersionTLS10, cache
				c.CipherSuites = []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
			})
			one := func() {
				got, client, err := handshake(b, s, config, "")
				if err != nil || got.err != nil {
					b.Fatal(err, got.err)
				}
				client.NetConn().Close()
				got.conn.NetConn().Close()
			}
			one()
			b.ReportAllocs()
			for b.Loop() {
				one()
			}
		})
	}
}
