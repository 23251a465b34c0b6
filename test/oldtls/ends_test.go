package oldtls

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// faulty is a stage whose upstream misbehaves.
func faulty(t testing.TB, script fault.Script) (*stage, *fault.Server) {
	t.Helper()
	server, err := fault.New(fault.Options{Script: script})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	files := sharedCA(t)
	s := &stage{client: "127.0.0.1", ours: poolOf(t, files.Root)}
	s.Process = harness.Start(t, harness.Options{Upstream: server, Env: []string{"TLSLIFT_CA_CERT=" + files.CA, "TLSLIFT_CA_KEY=" + files.Key}})
	return s, server
}

// TestCutOffAnswerHasNoCleanEnd: neither a close_notify nor the end of the
// stream may make a truncated answer look whole to a caller that speaks
// HTTP/1.0.
func TestCutOffAnswerHasNoCleanEnd(t *testing.T) {
	t.Parallel()
	s, _ := faulty(t, fault.Always(fault.HalfChunked(3<<20, fault.Close)))
	for _, w := range ways {
		c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
		answer, err := c.Send("GET / HTTP/1.0\r\nHost: " + legacy + "\r\n\r\n").TryAnswer("GET")
		if err == nil {
			t.Errorf("%s: %d bytes look like a whole answer: %d", w.name, len(answer.Text), answer.StatusCode)
		}
	}
}

// TestCallerThatResetsIsGone: the log says so of terminated callers too.
func TestCallerThatResetsIsGone(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			s, server := faulty(t, fault.Always(fault.Hold(release)))
			c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
			c.Send(ask(legacy, "/held"))
			if err := server.Wait(t.Context(), "/held", 1); err != nil {
				t.Fatal(err)
			}
			sent := time.Now()
			socket := c.tls.NetConn()
			if beneath, ok := socket.(interface{ NetConn() net.Conn }); ok {
				socket = beneath.NetConn()
			}
			_ = socket.(*net.TCPConn).SetLinger(0)
			_ = socket.Close()
			s.Get("/readyz")
			// Only of requests that took this long tlslift asks whether the
			// caller is still there.
			<-time.After(time.Until(sent.Add(15 * time.Millisecond)))
			close(release)
			line := s.WaitLog(harness.Match{"msg": "request", "path": "/held"})
			if line.String("client_gone") != "true" || line.String("delivery") != "answered" || line.String("status") != "200" {
				t.Errorf("logged %v", line)
			}
		})
	}
}
