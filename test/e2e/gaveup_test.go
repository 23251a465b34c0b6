//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/nameserver"
	"tlslift/test/smsportal"
)

// departure is what a caller does while its request waits.
type departure struct {
	name   string
	late   func(*harness.Caller) // some time after its last byte; nil = nothing
	soon   func(*harness.Caller) // together with it
	sent   bool                  // the request is sent all the same
	listen bool                  // the caller still reads
}

var departures = []departure{
	{name: "hangs-up", late: (*harness.Caller).Close},
	{name: "resets", late: (*harness.Caller).Reset},
	{name: "half-closes-late", late: (*harness.Caller).CloseWrite, listen: true},
	{name: "half-closes-by-habit", soon: (*harness.Caller).CloseWrite, sent: true, listen: true},
	{name: "stays", sent: true, listen: true},
}

// waits is a place where a request waits before its first byte goes upstream.
type waits struct {
	name  string
	start func(t *testing.T) stage
	ways  []way
	kept  bool // the callers' connections served a request before
}

// stage is a tlslift in front of an upstream. From hold on requests wait, until
// goOn.
type stage struct {
	p          *harness.Process
	server     *fault.Server
	hold, goOn func()
}

// A caller that gives up waits for its answer first. What it sends with its
// request is a habit up to half a second.
const giveUpAfter = 700 * time.Millisecond

// TestCallersThatGaveUp: a caller that left while its request waited has told
// its owner of a failure, so its request is not sent.
func TestCallersThatGaveUp(t *testing.T) {
	t.Parallel()
	for _, place := range []waits{
		{"accept queue", inTheAcceptQueue, ways[:3], false}, // a CONNECT would be answered first
		{"pool", inThePool, ways, false},
		{"pool, kept connection", inThePool, ways, true},
		{"name", atTheName, ways, false},
		{"dial", atTheDial, ways, false},
		{"handshake", atTheHandshake, ways, false},
	} {
		t.Run(place.name, func(t *testing.T) {
			t.Parallel()
			s := place.start(t)
			if !place.kept {
				s.hold()
			}
			var callers []waitingCaller
			for _, w := range place.ways {
				for _, d := range departures {
					path := "/" + strings.ReplaceAll(w.name, " ", "-") + "-" + d.name
					callers = append(callers, waitingCaller{d, w.open(t, s.p), w.request("GET", path, "", ""), path})
				}
			}
			if place.kept {
				for _, c := range callers {
					c.Send(ways[0].request("GET", "/before", "", "")).Answer("GET")
				}
				s.hold()
			}
			for _, c := range callers {
				if c.Send(c.request); c.soon != nil {
					c.soon(c.Caller)
				}
			}
			<-time.After(giveUpAfter)
			for _, c := range callers {
				if c.late != nil {
					c.late(c.Caller)
				}
			}
			s.goOn()
			gone := 0.0
			for _, c := range callers {
				c.check(t, s)
				if !c.sent {
					gone++
				}
			}
			s.p.WaitMetric(gone, "tlslift_denied_total", "reason", "client_gone")
			if n := s.p.Metrics().Sum("tlslift_denied_total", "reason", "client_gone"); n != gone {
				t.Errorf("%v callers are counted as gone, want %v", n, gone)
			}
		})
	}
}

// waitingCaller is a caller with a request of its own.
type waitingCaller struct {
	departure
	*harness.Caller
	request, path string
}

// check looks at the answer, at the log and at what the upstream received.
func (c waitingCaller) check(t *testing.T, s stage) {
	t.Helper()
	want := harness.Match{"msg": "request", "path": c.path, "status": 502, "error": "client_gone", "delivery": "not_sent", "client_gone": true, "level": "info", "origin": "tlslift"}
	count := 0
	if c.sent {
		want = harness.Match{"msg": "request", "path": c.path, "status": 200, "error": "", "delivery": "answered", "client_gone": false}
		count = 1
	}
	s.p.In(t).WaitLog(want)
	if n := s.server.Count(c.path + " "); n != count {
		t.Errorf("%s: the upstream received it %d times, want %d", c.path, n, count)
	}
	if !c.listen {
		return
	}
	answer := c.Answer("GET")
	switch {
	case c.sent && (answer.StatusCode != 200 || answer.Text != "ok"):
		t.Errorf("%s: answered %d %q", c.path, answer.StatusCode, answer.Text)
	case !c.sent && (answer.StatusCode != 502 || answer.Problem() != "client_gone" || answer.Delivery() != "not_sent" || !answer.Close):
		t.Errorf("%s: answered %d %q %q", c.path, answer.StatusCode, answer.Problem(), answer.Delivery())
	case !c.sent:
		c.ExpectClosed()
	}
}

func inTheAcceptQueue(t *testing.T) stage {
	server := startFault(t, fault.Options{})
	p := harness.Start(t, harness.Options{Upstream: server})
	t.Cleanup(func() { p.Signal(syscall.SIGCONT) })
	stop := func() {
		p.Signal(syscall.SIGSTOP)
		// A thread that still runs would serve a caller: the last one to stop reports it.
		if err := unix.Waitid(unix.P_PID, p.PID(), nil, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
			t.Fatal(err)
		}
	}
	return stage{p, server, stop, func() { p.Signal(syscall.SIGCONT) }}
}

func inThePool(t *testing.T) stage {
	release := make(chan struct{})
	server := startFault(t, fault.Options{Script: func(x *fault.Exchange) fault.Action {
		if strings.HasPrefix(x.Seen.Target, "/slow") {
			return fault.Hold(release)
		}
		return fault.Answer("ok")
	}})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "upstream: {max_connections: 1, warm_connections: 0, dial_timeout: 25s}"})
	return stage{p, server, func() {
		ways[0].open(t, p).Send(ways[0].request("GET", "/slow", "", ""))
		if err := server.Wait(patience(t), "/slow", 1); err != nil {
			t.Fatal(err)
		}
	}, func() { close(release) }}
}

func atTheName(t *testing.T) stage {
	server := startFault(t, fault.Options{})
	release := make(chan struct{})
	names := nameserver.New(t, legacyHost+" 60 A 127.0.0.1")
	names.Set(func(_ dnsmessage.Message, normal []byte) []byte {
		select {
		case <-release:
			return normal
		default:
			return nil
		}
	})
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Options{Config: fmt.Sprintf(`
allow_internal_addresses: true
upstream: {dns_servers: ['%s'], dial_timeout: 25s}
upstreams: [{host: %s, port: %s, ca_file: %s}]`,
		names.Listen(t), legacyHost, port, harness.TempFile(t, "ca.pem", string(server.CAPEM())))})
	return stage{p, server, func() {}, func() { close(release) }}
}

func atTheDial(t *testing.T) stage {
	g := newGate(t)
	// A caller that connects while the queue is full waits for the kernel to try again.
	for full := false; !full; {
		filler, err := net.DialTimeout("tcp", g.Addr(), 200*time.Millisecond)
		if full = err != nil; !full {
			t.Cleanup(func() { filler.Close() })
		}
	}
	return g.start(t)
}

func atTheHandshake(t *testing.T) stage { return newGate(t).start(t) }

// gate is a door before an upstream. While it is shut it accepts nothing.
type gate struct {
	*fault.Server
	listener net.Listener
	carrying sync.WaitGroup
}

func newGate(t *testing.T) *gate {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "gate")
	defer file.Close()
	g := &gate{Server: startFault(t, fault.Options{})}
	if g.listener, err = net.FileListener(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.listener.Close(); g.carrying.Wait() })
	return g
}

// Addr is the door's address.
func (g *gate) Addr() string { return g.listener.Addr().String() }

func (g *gate) start(t *testing.T) stage {
	p := harness.Start(t, harness.Options{Upstream: g, Config: "upstream: {warm_connections: 0, dial_timeout: 25s, tls_timeout: 25s}"})
	return stage{p, g.Server, func() {}, func() { g.carrying.Go(g.open) }}
}

// open lets those in that wait, and all who come later.
func (g *gate) open() {
	for {
		near, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.carrying.Go(func() {
			defer near.Close()
			far, err := net.Dial("tcp", g.Server.Addr())
			if err != nil {
				return
			}
			defer far.Close()
			up := make(chan struct{})
			go func() { defer close(up); _, _ = io.Copy(far, near); _ = far.(*net.TCPConn).CloseWrite() }()
			_, _ = io.Copy(near, far)
			_ = near.Close()
			<-up
		})
	}
}

// TestQueuedCallersThatGaveUp: a request that was sent before the one before it
// was answered has waited too.
func TestQueuedCallersThatGaveUp(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{})
	server, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		if r.Target == "/first" {
			<-goOn
		}
		return smsportal.Response{}, true
	}}, "")
	c := dial(t, p).Send(ways[0].request("GET", "/first", "", "") + ways[0].request("GET", "/second", "", ""))
	if err := server.WaitRequests(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	<-time.After(giveUpAfter)
	c.CloseWrite()
	close(goOn)
	if answer := c.Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("the first: %d", answer.StatusCode)
	}
	if answer := c.Answer("GET"); answer.StatusCode != 502 || answer.Problem() != "client_gone" || answer.Delivery() != "not_sent" {
		t.Errorf("the second: %d %s %s", answer.StatusCode, answer.Problem(), answer.Delivery())
	}
	if n := server.Count(); n != 1 {
		t.Errorf("%d requests went upstream", n)
	}
}

// TestAForeignCallThatWasGivenUp is no connection to the API.
func TestAForeignCallThatWasGivenUp(t *testing.T) {
	t.Parallel()
	s, foreign := inTheAcceptQueue(t), startForeign(t)
	s.hold()
	dial(t, s.p).Send("GET http://" + foreign.host() + "/ HTTP/1.1\r\nHost: x\r\n\r\n").Reset()
	s.goOn()
	s.p.WaitLog(harness.Match{"msg": "request", "error": "client_gone", "ingress": "forward"})
	s.p.WaitMetric(1, "tlslift_client_connections_total", "handling", "tunnelled")
}
