package legacy

import (
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// rawExtension is one extension of a hello made by hand.
type rawExtension struct {
	id   uint16
	body []byte
}

// rawHello is a ClientHello in one record, for offers that crypto/tls does
// not make.
func rawHello(t testing.TB, version uint16, suites []uint16, extensions ...rawExtension) []byte {
	t.Helper()
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, make([]byte, 33)...)
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites)))
	for _, s := range suites {
		body = binary.BigEndian.AppendUint16(body, s)
	}
	body = append(body, 1, 0)
	var list []byte
	for _, e := range extensions {
		list = binary.BigEndian.AppendUint16(list, e.id)
		list = append(binary.BigEndian.AppendUint16(list, uint16(len(e.body))), e.body...)
	}
	if list != nil {
		body = append(binary.BigEndian.AppendUint16(body, uint16(len(list))), list...)
	}
	message := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	record := binary.BigEndian.AppendUint16([]byte{22, byte(version >> 8), byte(version)}, uint16(len(message)))
	return append(record, message...)
}

var (
	p256     = rawExtension{10, []byte{0, 2, 0, 23}}
	sha1Only = rawExtension{13, []byte{0, 2, 2, 1}}
	signs256 = rawExtension{13, []byte{0, 2, 4, 1}}
	dotted   = rawExtension{0, []byte("\x00\x05\x00\x00\x02a.")}
)

// tls13Hello offers TLS 1.3 alone, with the generator of P-256 as its key share.
func tls13Hello(t testing.TB) []byte {
	t.Helper()
	point := elliptic.P256().Params()
	share := append(append([]byte{0, 69, 0, 23, 0, 65, 4}, point.Gx.Bytes()...), point.Gy.Bytes()...)
	return rawHello(t, 0x0303, []uint16{tls.TLS_AES_128_GCM_SHA256}, p256,
		rawExtension{13, []byte{0, 4, 8, 4, 4, 3}}, rawExtension{43, []byte{2, 3, 4}}, rawExtension{51, share})
}

// TestFailures has every kind of client that cannot get in, and what it must
// be told: the alert, in its own record version.
func TestFailures(t *testing.T) {
	t.Parallel()
	const aes, ecdhe, fallback = tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 0x5600
	for name, c := range map[string]struct {
		sends    []byte
		edit     func(*Options)
		host     string
		want     call.HandshakeFailure
		answered []byte
	}{
		"SSL 3.0 alone":              {sends: rawHello(t, 0x0300, []uint16{aes}), want: call.HandshakeVersion, answered: []byte{21, 3, 0, 0, 2, 2, 70}},
		"below the minimum":          {sends: rawHello(t, 0x0301, []uint16{aes}), edit: func(o *Options) { o.MinVersion = tls.VersionTLS11 }, want: call.HandshakeVersion, answered: []byte{21, 3, 1, 0, 2, 2, 70}},
		"fallback to 1.1":            {sends: rawHello(t, 0x0302, []uint16{aes, fallback}), want: call.HandshakeVersion, answered: []byte{21, 3, 2, 0, 2, 2, 86}},
		"DHE alone":                  {sends: rawHello(t, 0x0301, []uint16{0x0033}), want: call.HandshakeNoSharedCipher, answered: []byte{21, 3, 1, 0, 2, 2, 40}},
		"RC4-MD5 alone":              {sends: rawHello(t, 0x0301, []uint16{0x0004}), want: call.HandshakeNoSharedCipher, answered: []byte{21, 3, 1, 0, 2, 2, 40}},
		"SHA-1 and 1.2 only":         {sends: rawHello(t, 0x0303, []uint16{ecdhe}, p256, sha1Only), edit: func(o *Options) { o.MinVersion = tls.VersionTLS12 }, want: call.HandshakeSignature, answered: nil},
		"no signatures, 1.2":         {sends: rawHello(t, 0x0303, []uint16{ecdhe}, p256), edit: func(o *Options) { o.MinVersion = tls.VersionTLS12 }, want: call.HandshakeSignature, answered: nil},
		"a foreign host":             {sends: rawHello(t, 0x0301, []uint16{aes}), host: "evil.example", want: call.HandshakeOther, answered: []byte{21, 3, 1, 0, 2, 2, 112}},
		"unknown CA":                 {sends: append(rawHello(t, 0x0301, []uint16{aes}), 21, 3, 1, 0, 2, 2, 48), want: call.HandshakeClientRejectedCA},
		"bad certificate":            {sends: append(rawHello(t, 0x0301, []uint16{aes}), 21, 3, 1, 0, 2, 2, 42), want: call.HandshakeClientRejectedCA},
		"unknown":                    {sends: append(rawHello(t, 0x0301, []uint16{aes}), 21, 3, 1, 0, 2, 2, 46), want: call.HandshakeClientRejectedCA},
		"unknown CA, in clear, 1.3":  {sends: append(tls13Hello(t), 20, 3, 3, 0, 1, 1, 21, 3, 3, 0, 2, 2, 48), want: call.HandshakeClientRejectedCA}, // as OpenSSL 3
		"gave up, in clear, 1.3":     {sends: append(tls13Hello(t), 21, 3, 3, 0, 2, 2, 80), want: call.HandshakeClientAlert},
		"garbage, 1.3":               {sends: append(tls13Hello(t), 23, 3, 3, 0, 2, 2, 48), want: call.HandshakeOther},
		"internal error":             {sends: append(rawHello(t, 0x0301, []uint16{aes}), 21, 3, 1, 0, 2, 2, 80), want: call.HandshakeClientAlert},
		"HTTP":                       {sends: []byte("GET / HTTP/1.0\r\n\r\n"), want: call.HandshakeNotTLS, answered: []byte{21, 3, 1, 0, 2, 2, 40}},
		"SSL 2.0 alone":              {sends: sslv2Raw(0x0002, 0x010080), want: call.HandshakeVersion, answered: []byte{0x80, 3, 0, 0, 1}},
		"SSL 2.0 framing of SSL 3.0": {sends: sslv2Raw(0x0300, 0x00002f), want: call.HandshakeVersion, answered: []byte{21, 3, 0, 0, 2, 2, 70}},
		"SSL 2.0 framing, minimum 1.1": {
			sends: sslv2Raw(0x0302, 0x00002f), edit: func(o *Options) { o.MinVersion = tls.VersionTLS11 },
			want: call.HandshakeVersion, answered: []byte{21, 3, 2, 0, 2, 2, 70},
		},
		"SSL 2.0 framing, switched off": {
			sends: sslv2Raw(0x0301, 0x00002f), edit: func(o *Options) { o.SSLv2Hello = false },
			want: call.HandshakeSSLv2Hello, answered: []byte{21, 3, 1, 0, 2, 2, 70},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newTestServer(t, c.edit)
			client, server := tcpPair(t)
			done := make(chan outcome, 1)
			go func() { done <- serve(context.Background(), s, server, c.host) }()
			if _, err := client.Write(c.sends); err != nil {
				t.Fatal(err)
			}
			_ = client.SetReadDeadline(time.Now().Add(5 * time.Second))
			answered, err := io.ReadAll(client)
			if c.answered != nil && (err != nil || !slices.Equal(answered, c.answered)) {
				t.Errorf("answered %x, %v; want %x", answered, err, c.answered)
			}
			client.Close()
			if got := <-done; Classify(got.err) != c.want {
				t.Errorf("%v, want %v", got.err, c.want)
			}
		})
	}
}

func sslv2Raw(version uint16, specs ...uint32) []byte {
	body := binary.BigEndian.AppendUint16([]byte{1}, version)
	body = append(body, 0, byte(3*len(specs)), 0, 0, 0, 16)
	for _, s := range specs {
		body = append(body, byte(s>>16), byte(s>>8), byte(s))
	}
	body = append(body, make([]byte, 16)...)
	return append([]byte{0x80, byte(len(body))}, body...)
}

// TestServedAllTheSame has clients that crypto/tls alone would refuse.
func TestServedAllTheSame(t *testing.T) {
	t.Parallel()
	const (
		ecdheGCM = tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		ecdheCBC = tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
		rsa      = tls.TLS_RSA_WITH_AES_128_CBC_SHA
	)
	for name, c := range map[string]struct {
		sends   []byte
		version uint16
		suite   uint16
	}{
		"1.2, SHA-1, RSA key exchange possible": {rawHello(t, 0x0303, []uint16{ecdheGCM, rsa}, p256, sha1Only), 0x0303, rsa},
		"1.2, no signatures named":              {rawHello(t, 0x0303, []uint16{ecdheGCM, rsa}, p256), 0x0303, rsa},
		"1.2, SHA-1, ECDHE alone":               {rawHello(t, 0x0303, []uint16{ecdheGCM, ecdheCBC}, p256, sha1Only), 0x0302, ecdheCBC},
		"1.2, SHA-256":                          {rawHello(t, 0x0303, []uint16{ecdheGCM, rsa}, p256, signs256), 0x0303, ecdheGCM},
		"1.0 without extensions":                {rawHello(t, 0x0301, []uint16{rsa}), 0x0301, rsa},
		"a name with a dot at its end":          {rawHello(t, 0x0302, []uint16{ecdheCBC, rsa}, dotted, p256), 0x0302, ecdheCBC},
		"SSL 2.0 framing":                       {sslv2Raw(0x0301, 0x010080, 0x00002f), 0x0301, rsa},
		"SSL 2.0 framing of TLS 1.2":            {sslv2Raw(0x0303, 0x00009c, 0x00002f), 0x0301, rsa},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := newTestServer(t, nil)
			client, server := tcpPair(t)
			done := make(chan outcome, 1)
			go func() { done <- serve(context.Background(), s, server, "") }()
			if _, err := client.Write(c.sends); err != nil {
				t.Fatal(err)
			}
			// ServerHello: record 5, message 4, version 2, random 32, session id.
			head := make([]byte, 5+4+2+32+1)
			if _, err := io.ReadFull(client, head); err != nil || head[0] != 22 {
				t.Fatalf("%x, %v", head, err)
			}
			rest := make([]byte, int(head[43])+2)
			if _, err := io.ReadFull(client, rest); err != nil {
				t.Fatal(err)
			}
			version, suite := binary.BigEndian.Uint16(head[9:]), binary.BigEndian.Uint16(rest[head[43]:])
			if version != c.version || suite != c.suite {
				t.Errorf("%04x with %04x, want %04x with %04x", version, suite, c.version, c.suite)
			}
			client.Close()
			<-done
		})
	}
}
