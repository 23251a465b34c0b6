package dial

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"tlslift/test/memnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHelloRandom(t *testing.T) {
	t.Parallel()
	near, far := memnet.Pipe(&net.TCPAddr{}, &net.TCPAddr{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		client := tls.Client(near, &tls.Config{ServerName: "x.test", MinVersion: tls.VersionTLS12})
		_ = client.HandshakeContext(ctx)
	}()
	hello := make([]byte, 2000)
	n, err := far.Read(hello)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	hello = hello[:n]
	random, ok := helloRandom(hello)
	if !ok || random == [32]byte{} || string(random[:]) != string(hello[11:43]) {
		t.Error("not found")
	}
	for _, b := range [][]byte{nil, hello[:42], append([]byte{23}, hello[1:]...), []byte("GET / HTTP/1.1\r\nHost: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n")} {
		if _, ok := helloRandom(b); ok {
			t.Errorf("found in %q", b)
		}
	}
}

// TestHellosOfOneMoment: handshakes that begin before the first doubt are not
// the last piece of evidence, however they end.
func TestHellosOfOneMoment(t *testing.T) {
	t.Parallel()
	var h Hellos
	now := time.Now()
	_, first := h.next(now)
	_, second := h.next(now)
	h.doubt(true) // the first failed, and its classic one did not
	if first || second {
		t.Error("doubted from the beginning")
	}
	if _, third := h.next(now); !third {
		t.Error("never doubted")
	}
}
