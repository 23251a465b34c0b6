package dial

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// A server of plain HTTP answers a ClientHello with a head, or as HTTP/0.9 with a
// page alone.
func TestHandshakeErrorKnowsPlainHTTP(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"HTTP/1.1 400 Bad Request\r\n\r\n": true,
		"<html>400 Bad Request</html>":     true,
		"SSH-2.0-x\r\n":                    false,
		"":                                 false,
	} {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Read(make([]byte, 4096))
			_, _ = io.WriteString(far, answer)
			_ = far.Close()
		}()
		_ = near.SetDeadline(time.Now().Add(time.Minute))
		err := handshakeError(tls.Client(near, &tls.Config{ServerName: "a.test"}).Handshake(), "address")
		if err == nil || errors.Is(err, ErrPlainHTTP) != want {
			t.Errorf("%q: %v", answer, err)
		}
	}
}
