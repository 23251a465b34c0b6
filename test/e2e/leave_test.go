package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestCallersThatLeave: once a byte went upstream, the caller's half-closing
// or hanging up cancels nothing. The answer is awaited and the true outcome is
// logged.
func TestCallersThatLeave(t *testing.T) {
	t.Parallel()
	departures := map[string]struct {
		leave    func(*harness.Caller)
		answered bool   // the caller still gets the answer
		gone     string // client_gone in the log; "" = either: a FIN says no more than a half-close
	}{
		"half-closes": {(*harness.Caller).CloseWrite, true, "false"},
		"hangs up":    {(*harness.Caller).Close, false, ""},
		"resets":      {(*harness.Caller).Reset, false, "true"},
	}
	for _, w := range ways {
		for name, departure := range departures {
			for _, method := range []string{"GET", "POST"} {
				t.Run(fmt.Sprintf("%s %s after a %s", w.name, name, method), func(t *testing.T) {
					t.Parallel()
					release := make(chan struct{})
					server := startFault(t, fault.Options{Script: fault.Always(fault.Hold(release))})
					p := harness.Start(t, harness.Options{Upstream: server})
					in := w.open(t, p)
					body, head := "", ""
					if method == "POST" {
						body, head = "abc", lines("Content-Length: 3")
					}
					in.Send(w.request(method, "/held", head, body))
					if err := server.Wait(patience(t), "/held", 1); err != nil {
						t.Fatal(err)
					}
					sent := time.Now()
					departure.leave(in)
					if !departure.answered {
						// Time for tlslift to notice, were it to cancel: another
						// request's whole round through it.
						p.Get("/readyz")
					}
					// Only of requests that took this long tlslift asks whether the
					// caller is still there.
					<-time.After(time.Until(sent.Add(15 * time.Millisecond)))
					close(release)
					line := p.WaitLog(harness.Match{"msg": "request", "path": "/held"})
					if line.String("delivery") != "answered" || line.String("status") != "200" || departure.gone != "" && line.String("client_gone") != departure.gone {
						t.Errorf("logged %v", line)
					}
					if departure.answered {
						if answer := in.Answer(method); answer.StatusCode != 200 || answer.Text != "ok" {
							t.Errorf("answered %d %q", answer.StatusCode, answer.Text)
						}
					}
					if n := server.Count("/held"); n != 1 {
						t.Errorf("the upstream counts %d", n)
					}
				})
			}
		}
	}
}

// TestHangingUpWithinTheUpload never makes a whole request of a part.
func TestHangingUpWithinTheUpload(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{
		"length":  "Content-Length: 1000\r\n\r\npart",
		"chunked": "Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, p := portal(t, smsportal.Options{}, "")
			in := dial(t, p).Send("POST " + api + "/part HTTP/1.1\r\nHost: x\r\n" + start)
			in.CloseWrite()
			line := p.WaitLog(harness.Match{"msg": "request", "path": "/part"})
			if line.String("delivery") == "answered" {
				t.Errorf("logged %v", line)
			}
			for _, r := range server.Requests() {
				if r.Complete {
					t.Errorf("the upstream received a whole request: %q %q", r.Raw, r.RawBody)
				}
			}
		})
	}
}

// TestDrainDeadlineCutsWithAnAnswer: requests in flight then get 504
// unknown, and tlslift says how many.
func TestDrainDeadlineCutsWithAnAnswer(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			server := startFault(t, fault.Options{Script: fault.Always(fault.Stall())})
			p := harness.Start(t, harness.Options{Upstream: server, Config: "limits: {drain_timeout: 4s}"})
			in := w.open(t, p).Send(w.request("GET", "/held", "", ""))
			if err := server.Wait(patience(t), "/held", 1); err != nil {
				t.Fatal(err)
			}
			p.Stop()
			answer := in.Answer("GET")
			if answer.StatusCode != 504 || answer.Delivery() != "unknown" {
				t.Errorf("answered %d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
			}
			p.WaitLog(harness.Match{"msg": "request", "path": "/held", "status": 504, "delivery": "unknown"})
			if n := server.Count("/held"); n != 1 {
				t.Errorf("the upstream counts %d", n)
			}
			if !strings.Contains(p.Output(), `"cut":1`) {
				t.Error("the log does not say that 1 was cut")
			}
		})
	}
}
