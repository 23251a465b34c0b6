package oldtls

import (
	"crypto/tls"
	"net"
	"syscall"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// faulty is a stage whose upstream misbehaves.
func faulty(t testing.TB, options fault.Options) (*stage, *fault.Server) {
	t.Helper()
	server, err := fault.New(options)
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
	s, _ := faulty(t, fault.Options{Script: fault.Always(fault.HalfChunked(3<<20, fault.Close))})
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
			s, server := faulty(t, fault.Options{Script: fault.Always(fault.Hold(release))})
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

// TestDrainWaitsForSplicedAnswers: a request on a connection that was spliced
// untouched is finished like any other, the first one too, behind which the
// server has already sent its session tickets.
func TestDrainWaitsForSplicedAnswers(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				release := make(chan struct{})
				s, server := faulty(t, fault.Options{
					Script:    fault.Always(fault.Hold(release)),
					Configure: func(c *tls.Config) { c.ClientAuth = tls.RequestClientCert }, // crypto/tls then sends its ticket after the client's Finished
				})
				beneath := &corked{Conn: w.open(t, s.in(t), legacy), corks: version == tls.VersionTLS13}
				config := speaking(version, server.CA().Pool(), legacy)
				config.ClientSessionCache = tls.NewLRUClientSessionCache(1) // or there is no ticket
				conn := tls.Client(beneath, config)
				if err := conn.Handshake(); err != nil {
					t.Fatal(err)
				}
				beneath.corks = false
				c := harness.NewCaller(t, conn)
				c.Send("POST /held HTTP/1.1\r\nHost: " + legacy + "\r\nContent-Length: 3\r\n\r\nabc")
				if err := server.Wait(t.Context(), "/held", 1); err != nil {
					t.Fatal(err)
				}
				s.Signal(syscall.SIGTERM)
				s.WaitLog(harness.Match{"msg": "draining"})
				// Longer than what makes a relay idle that owes no answer.
				<-time.After(1500 * time.Millisecond)
				close(release)
				if answer := c.Answer("POST"); answer.StatusCode != 200 || answer.Text != "ok" {
					t.Errorf("answered %d %q", answer.StatusCode, answer.Text)
				}
				c.Close()
				if code := s.Wait(); code != 0 {
					t.Errorf("exit status %d", code)
				}
				if line := s.WaitLog(harness.Match{"msg": "stopped"}); line.String("cut") != "0" {
					t.Errorf("logged %v", line)
				}
			})
		}
	}
}

// corked keeps what follows the hello until it is told not to: so the client's
// Finished leaves with its first request, as it does with many TLS libraries.
type corked struct {
	net.Conn
	corks  bool
	hello  bool
	waiter []byte
}

func (c *corked) Write(p []byte) (int, error) {
	if c.corks && c.hello {
		c.waiter = append(c.waiter, p...)
		return len(p), nil
	}
	c.hello = true
	_, err := c.Conn.Write(append(c.waiter, p...))
	c.waiter = nil
	return len(p), err
}
