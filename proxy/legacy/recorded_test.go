package legacy

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"regexp"
	"testing"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// simulations are hellos of real clients that testssl.sh comes with, read
// where its package is installed.
const simulations = "/etc/testssl/client-simulation.txt"

var recordingLine = regexp.MustCompile(`^\s*(names|handshakebytes)\+=\("(.*)"\)`)

// TestRecordedClientsGetAServerHello replays every recording: all but those
// that end at SSL 3.0 are answered, whatever they offer, and those are told
// why and counted.
func TestRecordedClientsGetAServerHello(t *testing.T) {
	t.Parallel()
	file, err := os.Open(simulations)
	if err != nil {
		t.Skip("testssl.sh is not installed")
	}
	defer file.Close()
	s, _ := newTestServer(t, func(o *Options) { o.RC4 = false })
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	name, answered, refused := "", 0, 0
	for lines.Scan() {
		m := recordingLine.FindStringSubmatch(lines.Text())
		switch {
		case m == nil:
		case m[1] == "names":
			name = m[2]
		default:
			raw, err := hex.DecodeString(m[2])
			if err != nil {
				t.Fatal(err)
			}
			if replay(t, s, name, raw) {
				answered++
			} else {
				refused++
			}
		}
	}
	if answered < 150 || refused > 3 {
		t.Errorf("%d answered, %d refused", answered, refused)
	}
	t.Logf("%d answered, %d refused", answered, refused)
}

// replay says a hello and judges the answer; it reports whether that was a
// ServerHello.
func replay(t *testing.T, s *Server, name string, raw []byte) bool {
	t.Helper()
	h, _, err := hello.Parse(raw)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	client, server := tcpPair(t)
	done := make(chan outcome, 1)
	go func() { done <- serve(context.Background(), s, server, "") }()
	if _, err := client.Write(raw); err != nil {
		t.Fatal(err)
	}
	answer, err := readAnswer(client)
	client.Close()
	got := <-done
	server.Close()
	switch {
	case err != nil:
		t.Errorf("%s: %v (%v)", name, err, got.err)
	case h.MaxVersion < hello.VersionTLS10:
		if !answer.Refused || answer.Alert != uint8(AlertProtocolVersion) || Classify(got.err) != call.HandshakeVersion {
			t.Errorf("%s: SSL 3.0 alone got %+v, counted as %v", name, answer, Classify(got.err))
		}
	case answer.Refused:
		t.Errorf("%s: refused with alert %d: %v", name, answer.Alert, got.err)
	case answer.Version >= hello.VersionTLS12 != h.Modern() && h.Framing == hello.TLS:
		t.Errorf("%s: %04x for a hello of %04x", name, answer.Version, h.MaxVersion)
	}
	return !answer.Refused
}

func readAnswer(conn net.Conn) (hello.Answer, error) {
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	var o hello.AnswerObserver
	buf := make([]byte, 4096)
	for !o.Done() {
		n, err := conn.Read(buf)
		_, _ = o.Write(buf[:n])
		if err != nil && !o.Done() {
			return hello.Answer{}, errors.Join(err, errors.New("no answer"))
		}
	}
	return o.Answer()
}
