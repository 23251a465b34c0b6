package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// load is callers that send messages, each on a connection of its own, until
// they are told to stop or find nobody.
type load struct {
	address string
	workers int
	always  bool // somebody must listen: being refused is no end

	stop     chan struct{}
	running  sync.WaitGroup
	answered atomic.Int64

	mu     sync.Mutex
	broken map[string]error // by message: no complete answer
	worked map[string]bool  // by message: a 200
	told   map[string]int   // by message: another status
}

func startLoad(address string, workers int) *load { return startLoadAt(address, workers, false) }

func startLoadAt(address string, workers int, always bool) *load {
	l := &load{address: address, workers: workers, always: always, stop: make(chan struct{}), broken: map[string]error{}, worked: map[string]bool{}, told: map[string]int{}}
	for i := range workers {
		l.running.Go(func() { l.work(i) })
	}
	return l
}

// end stops the callers after the request they are at.
func (l *load) end() {
	close(l.stop)
	l.running.Wait()
}

func (l *load) work(worker int) {
	for n := 0; ; n++ {
		select {
		case <-l.stop:
			return
		default:
		}
		id := fmt.Sprintf("w%d-%d", worker, n)
		status, err := l.send(id)
		if errors.Is(err, syscall.ECONNREFUSED) && !l.always {
			return // stopped listening: not a request
		}
		l.mu.Lock()
		switch {
		case err != nil:
			l.broken[id] = err
		case status == http.StatusOK:
			l.worked[id] = true
		default:
			l.told[id] = status
		}
		l.mu.Unlock()
		l.answered.Add(1)
	}
}

func (l *load) send(id string) (int, error) {
	conn, err := net.DialTimeout("tcp", l.address, harness.Patience)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	if _, err := io.WriteString(conn, "GET "+api+sendPath(id)+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// waitFor waits until n requests were answered.
func (l *load) waitFor(t *testing.T, n int64) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(harness.Patience); l.answered.Load() < n; <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d requests were answered", l.answered.Load(), n)
		}
	}
}

// judge compares what the callers were told with what was really sent.
func (l *load) judge(t *testing.T, server *smsportal.Server, othersAllowed bool) {
	t.Helper()
	if doubles := server.Doubles(); len(doubles) != 0 {
		t.Errorf("sent twice: %v", doubles)
	}
	sent := map[string]bool{}
	for message := range server.Sends() {
		sent[message.CustomerID] = true
	}
	for id := range l.worked {
		if !sent[id] {
			t.Errorf("%s was answered but not sent", id)
		}
	}
	for id, err := range l.broken {
		if sent[id] {
			t.Errorf("%s was sent, and its caller got no answer: %v", id, err)
		}
	}
	for id, status := range l.told {
		if sent[id] || !othersAllowed {
			t.Errorf("%s: told %d, sent %v", id, status, sent[id])
		}
	}
	if len(l.worked) == 0 {
		t.Error("nothing was answered at all")
	}
}

// TestDrainUnderLoadLosesNothing: SIGTERM amid traffic. Every message that was
// sent has a caller who knows.
func TestDrainUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"at once": "", "after a delay": "limits: {drain_delay: 200ms}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, p := portal(t, smsportal.Options{Delay: 5 * time.Millisecond}, config)
			l := startLoad(p.Addr(), 8)
			l.waitFor(t, 50)
			if code := p.Stop(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			l.end()
			l.judge(t, server, true)
		})
	}
}

// TestReadinessGoesOffWhileDraining: the load balancer is told before the
// listener closes.
func TestReadinessGoesOffWhileDraining(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "limits: {drain_delay: 10s, drain_timeout: 20s}")
	if status, body := p.Get("/readyz"); status != 200 {
		t.Errorf("ready: %d %s", status, body)
	}
	p.Signal(syscall.SIGTERM)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(harness.Patience); ; <-ticker.C {
		status, _ := p.Get("/readyz")
		if status == 503 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("still ready")
		}
	}
	if answer := p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"); answer.Problem() != "" {
		t.Errorf("while draining: %d %s", answer.StatusCode, answer.Problem())
	}
	if status, _ := p.Get("/healthz"); status != 200 {
		t.Errorf("healthz while draining: %d", status)
	}
	p.Signal(syscall.SIGTERM) // a second one does not wait for the delay
	if code := p.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if failed := p.Lines(0, harness.Match{"level": "error"}); len(failed) > 0 {
		t.Errorf("logged: %v", failed)
	}
}

// onceMore is the line of a first signal that comes while the process drains for
// another reason.
var onceMore = harness.Match{"msg": "already draining: one more signal stops without waiting"}

// TestSignalAfterQuit: only a second signal stops without waiting, and POST /quit
// is none.
func TestSignalAfterQuit(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprint("again ", again), func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			server := startFault(t, fault.Options{Script: fault.Marked("/slow", fault.Hold(release))})
			p := harness.Start(t, harness.Options{Upstream: server, Config: "admin: {quit: true}\nlimits: {drain_timeout: 80s}"})
			slow := dial(t, p).Send(get("/slow"))
			if err := server.Wait(patience(t), "GET /slow", 1); err != nil {
				t.Fatal(err)
			}
			response, err := http.Post("http://"+p.AdminAddr()+"/quit", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			p.WaitLog(harness.Match{"msg": "draining", "why": "POST /quit"})
			p.Signal(syscall.SIGTERM)
			p.WaitLog(onceMore)
			want := 200
			if again {
				want = 504
				p.Signal(syscall.SIGTERM)
			} else {
				close(release)
			}
			if answer := slow.Answer("GET"); answer.StatusCode != want {
				t.Errorf("%d %q, want %d", answer.StatusCode, answer.Problem(), want)
			}
			if code := p.Wait(); code != 0 {
				t.Errorf("exit status %d", code)
			}
		})
	}
}

// TestTerminatedToTheEnd: SIGTERM again and again does not change the exit
// status, however late it comes.
func TestTerminatedToTheEnd(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	process, err := os.FindProcess(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	for over := false; !over; {
		select {
		case <-p.Ended():
			over = true
		case <-time.After(50 * time.Microsecond):
			_ = process.Signal(syscall.SIGTERM) // an error once it has ended
		}
	}
	if code := p.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestIdleConnectionsDoNotHoldTheDrain: keep-alive connections at rest are
// closed, not waited for.
func TestIdleConnectionsDoNotHoldTheDrain(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "limits: {drain_timeout: 20s}")
	idle := dial(t, p)
	idle.Send("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n").Answer("GET")
	inTunnel := dial(t, p).Tunnel("api.smsportal.com:443")
	inTunnel.Send("GET /a HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n").Answer("GET")
	silent := dial(t, p)
	began := time.Now()
	if code := p.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("idle connections held the drain for %v", took)
	}
	for _, c := range []*harness.Caller{idle, inTunnel, silent} {
		c.ExpectClosed()
	}
}

// TestACutAtTheDrainDeadlineIsOurs: a caller that is slow to read was there all the
// while.
func TestACutAtTheDrainDeadlineIsOurs(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Body: bytes.Repeat([]byte("x"), 64<<20)}, true
	}}, "limits: {drain_timeout: 1s}")
	c := dial(t, p).Send("GET " + api + "/large HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := c.Bytes().Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Stop()
	p.WaitLog(harness.Match{"msg": "request", "delivery": "unknown", "client_gone": false})
}

// TestAHeadThatIsNotThereAtTheDrainDeadline is refused like a body: nothing of it was
// sent.
func TestAHeadThatIsNotThereAtTheDrainDeadline(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "limits: {drain_timeout: 2s, header_timeout: 60s}")
	var callers []*harness.Caller
	for _, part := range []string{"GET " + api + "/a HTTP/1.1\r\nHo", "POST " + api + "/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"} {
		callers = append(callers, dial(t, p).Send(part))
	}
	p.WaitMetric(2, "tlslift_open_connections")
	p.Stop()
	for _, c := range callers {
		if answer := c.Answer("GET"); answer.StatusCode != 503 || answer.Problem() != "draining" || answer.Delivery() != "not_sent" {
			t.Errorf("%d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
		}
	}
	p.WaitLogs(0, harness.Match{"msg": "request", "error": "draining", "delivery": "not_sent"}, 2)
	if n := server.Count(); n != 0 {
		t.Errorf("%d requests went up", n)
	}
}

// TestReloadUnderLoadLosesNothing: every reload amid traffic leaves each
// request with its answer.
func TestReloadUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	l := startLoad(p.Addr(), 4)
	for i := range 5 {
		l.waitFor(t, int64(20*(i+1)))
		mark := p.Mark()
		p.Reconfigure(fmt.Sprintf("limits: {body_bytes: %dMiB}\nupstream: {warm_connections: %d}", 5+i, i%3))
		p.Signal(syscall.SIGHUP)
		p.WaitLogAfter(mark, reloaded)
	}
	l.end()
	l.judge(t, server, false)
}

// reloaded is the line of a successful reload.
var reloaded = harness.Match{"msg": "reloaded"}

// TestReload: what changes at once, what a broken file does not do.
func TestReload(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "others: refuse")
	foreign := "GET http://other.test/ HTTP/1.1\r\nHost: x\r\n\r\n"
	ok := "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	if got := p.Ask(foreign).Problem(); got != "host" {
		t.Errorf("before: %q", got)
	}
	broken := map[string]func(){
		"not YAML":    func() { harness.WriteFile(t, p.Config, "listen: [\n") },
		"unknown key": func() { p.Reconfigure("no_such_key: 1") },
		"bad value":   func() { p.Reconfigure("limits: {body_bytes: many}") },
		"empty file":  func() { harness.WriteFile(t, p.Config, "") },
		"bad listen":  func() { p.Reconfigure("listen: [{address: '192.0.2.1:1'}]") },
		"new admin":   func() { p.Reconfigure("admin: {address: '127.0.0.1:1'}") },
		"new state":   func() { p.Reconfigure("state: {file: " + filepath.Join(p.Dir, "other.db") + "}") },
	}
	for name, breakIt := range broken {
		mark := p.Mark()
		breakIt()
		p.Signal(syscall.SIGHUP)
		p.WaitLogAfter(mark, harness.Match{"level": "error"})
		p.WaitMetric(0, "tlslift_config_last_reload_successful")
		if got := p.Metrics().Sum("tlslift_config_last_reload_successful"); got != 0 {
			t.Errorf("%s: last reload successful is %v", name, got)
		}
		if got := p.Ask(ok).StatusCode; got != 404 {
			t.Errorf("%s: the old configuration does not work any more: %d", name, got)
		}
	}
	mark := p.Mark()
	p.Reconfigure(`others: refuse
upstreams: [{host: other.test, address: "` + server.Addr() + `", ca_file: upstream-ca.pem}]`)
	p.Signal(syscall.SIGHUP)
	p.WaitLogAfter(mark, reloaded)
	if got := p.Metrics().Sum("tlslift_config_last_reload_successful"); got != 1 {
		t.Errorf("last reload successful is %v", got)
	}
	if answer := p.Ask(ok); answer.Problem() != "host" {
		t.Errorf("after: %d %q", answer.StatusCode, answer.Problem())
	}
	if answer := p.Ask(foreign); answer.Problem() != "tls_verify" { // reached, and its certificate is another's
		t.Errorf("after: %d %q", answer.StatusCode, answer.Problem())
	}
}

// TestReloadOnFileChange: without a signal, by whatever way the file changes.
func TestReloadOnFileChange(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	mark := p.Mark()
	p.Reconfigure("limits: {body_bytes: 1KiB}")
	p.WaitLogAfter(mark, reloaded)
	if answer := p.Ask("POST " + api + "/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n"); answer.StatusCode != 413 {
		t.Errorf("%d %q", answer.StatusCode, answer.Problem())
	}
}
