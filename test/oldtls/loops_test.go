package oldtls

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// mirror is a stretch of network that leads back to where the connection came
// from: connections it accepts are carried to a target that is named later.
type mirror struct {
	net.Listener
	target  atomic.Value
	made    atomic.Int64
	running sync.WaitGroup
}

func startMirror(t *testing.T) *mirror {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &mirror{Listener: listener}
	m.running.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			m.running.Go(func() { m.carry(near) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); m.running.Wait() })
	return m
}

func (m *mirror) carry(near net.Conn) {
	defer near.Close()
	m.made.Add(1)
	far, err := net.Dial("tcp", m.target.Load().(string))
	if err != nil {
		return
	}
	defer far.Close()
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(far, near)
		_ = far.Close()
	})
	_, _ = io.Copy(near, far)
	_ = near.Close()
	up.Wait()
}

// TestSplicedLoop: a hello that comes back to us while we splice it, through
// somebody else's address, is known by its random.
func TestSplicedLoop(t *testing.T) {
	t.Parallel()
	m := startMirror(t)
	s := bare(t, nil, fmt.Sprintf("upstreams: [{host: %s, address: '%s'}]", api, m.Addr()))
	m.target.Store(s.Addr())
	tried := 0
	for _, w := range ways {
		for _, version := range modern {
			err := tls.Client(w.open(t, s, api), speaking(version, nil, api)).Handshake()
			if err == nil || err.Error() != "remote error: tls: internal error" {
				t.Errorf("%s %s: the client got %v", w.name, words[version], err)
			}
			tried++
			s.WaitMetric(float64(tried), "tlslift_denied_total", "reason", "loop")
			s.WaitLogs(0, harness.Match{"msg": "tunnel", "error": "loop", "handling": "refused"}, tried)
			if n := int(m.made.Load()); n != tried {
				t.Fatalf("%d hellos went round %d times", tried, n)
			}
		}
	}
}

// TestUpgradeLoop: tlslift's own hello, of a request that it upgrades, comes
// back just so.
func TestUpgradeLoop(t *testing.T) {
	t.Parallel()
	m := startMirror(t)
	p := harness.Start(t, harness.Options{Config: fmt.Sprintf("upstreams: [{host: %s, address: '%s'}]\nupstream: {warm_connections: 0}", api, m.Addr())})
	m.target.Store(p.Addr())
	answer := p.Ask("GET http://" + api + "/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer.StatusCode != 508 || answer.Problem() != "loop" || answer.Delivery() != "not_sent" {
		t.Errorf("%d %s %s", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
	p.WaitLog(harness.Match{"msg": "request", "error": "loop", "status": 508})
	p.WaitMetric(1, "tlslift_denied_total", "reason", "loop")
	if n := m.made.Load(); n != 1 { // no second try with a classic hello
		t.Errorf("%d hellos went round", n)
	}
}

// TestSameRandomLater: once a connection has ended its random means nothing; a
// client with a poor source of randomness is not locked out.
func TestSameRandomLater(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{RSA: true}, "")
	wire := spelled{version: tls.VersionTLS12, suites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, sni: api}.wire()
	for n := range 3 {
		conn := connect.open(t, s, api)
		say(t, conn, wire)
		_ = conn.Close()
		s.WaitLogs(0, harness.Match{"msg": "tunnel", "handling": "spliced"}, n+1)
	}
	if n := s.Metrics().Sum("tlslift_denied_total"); n != 0 {
		t.Errorf("%v were denied", n)
	}
}
