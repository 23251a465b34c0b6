package oldtls

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"tlslift/proxy/hello"
	"tlslift/test/harness"
)

// spelled is a ClientHello that is written by hand, for what crypto/tls would
// never say.
type spelled struct {
	version uint16
	suites  []uint16
	sni     string
	alpn    string
	formats []byte // of elliptic curve points; nil = no such extension
}

// The alerts that answers are compared with (RFC 8446 6).
const (
	alertHandshakeFailure      = 40
	alertAccessDenied          = 49
	alertProtocolVersion       = 70
	alertInternalError         = 80
	alertInappropriateFallback = 86
	alertUnrecognizedName      = 112
)

// plainSuites are offered by hellos to which the suites do not matter.
var plainSuites = []uint16{0x002f, 0x0035, 0x000a}

// message is the handshake message.
func (h spelled) message() []byte {
	var b cryptobyte.Builder
	b.AddUint8(1)
	b.AddUint24LengthPrefixed(func(b *cryptobyte.Builder) {
		random := make([]byte, 32)
		_, _ = rand.Read(random)
		b.AddUint16(h.version)
		b.AddBytes(random)
		b.AddUint8(0) // no session
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			for _, suite := range h.suites {
				b.AddUint16(suite)
			}
		})
		b.AddBytes([]byte{1, 0}) // no compression
		if h.sni != "" || h.alpn != "" || h.formats != nil {
			b.AddUint16LengthPrefixed(h.extensions)
		}
	})
	return b.BytesOrPanic()
}

func (h spelled) extensions(b *cryptobyte.Builder) {
	nested := func(number uint16, inner func(*cryptobyte.Builder)) {
		b.AddUint16(number)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddUint16LengthPrefixed(inner) })
	}
	if h.sni != "" {
		nested(0, func(b *cryptobyte.Builder) {
			b.AddUint8(0)
			b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(h.sni)) })
		})
	}
	if h.formats != nil {
		b.AddUint16(11)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(h.formats) })
		})
	}
	if h.alpn != "" {
		nested(16, func(b *cryptobyte.Builder) {
			b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(h.alpn)) })
		})
	}
}

// asText is a number as the log writes it.
func asText(n int) string { return strconv.Itoa(n) }

// records puts a handshake message on the wire, in records of at most so many
// bytes.
func records(message []byte, size int) []byte {
	var wire []byte
	for len(message) > 0 {
		n := min(size, len(message))
		wire = append(wire, 22, 3, 1)
		wire = binary.BigEndian.AppendUint16(wire, uint16(n))
		wire = append(wire, message[:n]...)
		message = message[n:]
	}
	return wire
}

// wire is the hello in one record.
func (h spelled) wire() []byte { return records(h.message(), 1<<14) }

// say sends bytes and returns the server's first message.
func say(t testing.TB, conn net.Conn, wire []byte) hello.Answer {
	t.Helper()
	answer, err := trySay(conn, wire)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return answer
}

func trySay(conn net.Conn, wire []byte) (hello.Answer, error) {
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	if _, err := conn.Write(wire); err != nil {
		return hello.Answer{}, err
	}
	var observer hello.AnswerObserver
	buffer := make([]byte, 4096)
	for !observer.Done() {
		n, err := conn.Read(buffer)
		_, _ = observer.Write(buffer[:n])
		if err != nil && !observer.Done() {
			return hello.Answer{}, errors.Join(errors.New("the connection ended without an answer"), err)
		}
	}
	return observer.Answer()
}

// refused fails the test unless the answer is that alert.
func refused(t testing.TB, answer hello.Answer, alert uint8) {
	t.Helper()
	if !answer.Refused || answer.Alert != alert {
		t.Errorf("answered %+v, want alert %d", answer, alert)
	}
}

// freshRandom replaces the random of a recorded hello in TLS records: two
// connections with one random look like a loop.
func freshRandom(wire []byte) {
	const random, size = 5 + 4 + 2, 32
	if wire[0] == 22 {
		_, _ = rand.Read(wire[random : random+size])
	}
}
