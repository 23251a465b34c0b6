package oldtls

import (
	"crypto/tls"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestOpenConnectionsAreCounted by what is done with them, while they are
// served, and not afterwards.
func TestOpenConnectionsAreCounted(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}), make(chan struct{})
	s := start(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		if r.Target == "/held" {
			arrived <- struct{}{}
			<-release
		}
		return smsportal.Response{Body: []byte("done")}, true
	}}, "others: tunnel")
	want := map[string]float64{"plain": 0, "terminated": 0, "spliced": 0, "tunnelled": 0, "refused": 0}
	var busy []*harness.Caller
	holds := func(c *harness.Caller, handling string) {
		t.Helper()
		busy = append(busy, c.Send(ask(legacy, "/held")))
		<-arrived
		want[handling]++
		s.openConnections(t, want)
	}
	holds(harness.Dial(t, s.Addr()), "plain")
	holds(harness.Dial(t, s.Addr()).Tunnel(legacy+":443"), "plain")
	for _, w := range ways {
		holds(s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy)).Caller, "terminated")
		holds(s.hello(t, w, legacy, speaking(tls.VersionTLS13, s.portal.Roots(), legacy)).Caller, "spliced")
	}
	foreign := harness.Dial(t, s.Addr()).Tunnel(s.portal.Addr())
	want["tunnelled"]++
	s.openConnections(t, want)

	close(release)
	for _, c := range busy {
		if answer := c.Answer("GET"); answer.Text != "done" {
			t.Errorf("%d %.100q", answer.StatusCode, answer.Text)
		}
	}
	for _, c := range append(busy, foreign) {
		c.Close()
	}
	for handling := range want {
		want[handling] = 0
	}
	s.openConnections(t, want)
}

// openConnections waits until so many connections are open, of each handling.
func (s *stage) openConnections(t *testing.T, want map[string]float64) {
	t.Helper()
	const name = "tlslift_open_connections"
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(harness.Patience); ; <-ticker.C {
		m, right := s.In(t).Metrics(), true
		for handling, n := range want {
			right = right && m.Sum(name, "handling", handling) == n
		}
		if right {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connections that are open: %v, want %v", m[name], want)
		}
	}
}
