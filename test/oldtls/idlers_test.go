package oldtls

import (
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestIdlersLeaveNothingBehind: a thousand clients that connect and say
// nothing, half a hello, or garbage, and never hang up themselves.
func TestIdlersLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	const clients = 1000
	s := start(t, smsportal.Options{}, "limits: {header_timeout: 1s}\nlegacy_tls: {handshake_timeout: 1s}")
	hello := spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}.wire()
	tunnel := "CONNECT " + api + ":443 HTTP/1.1\r\n\r\n"
	modern := spelled{version: tls.VersionTLS12, suites: plainSuites, sni: api}.wire()
	kinds := []string{
		"", string(hello[:len(hello)/2]), string(hello), "\x16garbage", "garbage without an end",
		tunnel, tunnel + string(hello[:len(hello)/2]), tunnel + string(hello), tunnel + "\x16garbage", tunnel + string(modern[:len(modern)-1]),
	}
	warm := s.hello(t, direct, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
	warm.Close()
	before := s.settled(t, 0)

	var all [clients]net.Conn
	var dialling sync.WaitGroup
	for worker := range 10 {
		dialling.Go(func() {
			for i := worker; i < clients; i += 10 {
				conn, err := net.DialTimeout("tcp", s.Addr(), harness.Patience)
				if err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				_, _ = conn.Write([]byte(kinds[i/10%len(kinds)]))
				all[i] = conn
			}
		})
	}
	dialling.Wait()
	if t.Failed() {
		return
	}
	after := s.settled(t, before)
	t.Logf("goroutines before %v, after %v", before, after)
	m := s.Metrics()
	for _, handling := range []string{"plain", "terminated", "spliced", "tunnelled", "refused"} {
		if got := m.Sum("tlslift_open_connections", "handling", handling); got != 0 {
			t.Errorf("%v connections are open, %s", got, handling)
		}
	}
	for reason, want := range map[string]float64{"timeout": 500, "not_tls": 200} {
		if got := m.Sum("tlslift_client_handshake_failures_total", "reason", reason); got != want {
			t.Errorf("%v failures were counted for %s, want %v", got, reason, want)
		}
	}
	for _, conn := range all {
		_ = conn.Close()
	}
}

// settled waits until no more than so many goroutines are left; 0 = until
// their number stays the same.
func (s *stage) settled(t *testing.T, most float64) float64 {
	t.Helper()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	last := -1.0
	for deadline := time.Now().Add(harness.Patience); ; <-ticker.C {
		now := s.Metrics().Sum("go_goroutines")
		if most > 0 && now <= most || most == 0 && now == last {
			return now
		}
		if last = now; time.Now().After(deadline) {
			t.Fatalf("%v goroutines, want %v", now, most)
		}
	}
}
