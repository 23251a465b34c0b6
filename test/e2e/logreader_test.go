package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

const (
	linesLost = "tlslift_log_lines_lost_total"
	behind    = "The log is not read, or its disk is full"
)

// doubtful is an upstream that fails calls to /doubt after it has read them.
func doubtful(t *testing.T) *fault.Server {
	t.Helper()
	return startFault(t, fault.Options{Script: fault.Marked("/doubt", fault.AfterRead(fault.Close))})
}

func get(path string) string { return "GET " + api + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }

// askUntilLost keeps several callers busy until log lines are lost. A call that
// is not answered fails the test.
func askUntilLost(t *testing.T, p *harness.Process) {
	t.Helper()
	var over atomic.Bool
	var callers sync.WaitGroup
	defer func() {
		over.Store(true)
		callers.Wait()
	}()
	path := "/call" + strings.Repeat("/a", 500)
	for range 4 {
		in := dial(t, p)
		callers.Go(func() {
			for !over.Load() {
				if _, err := in.Send(get(path)).TryAnswer("GET"); err != nil {
					t.Errorf("a call while the log is not read: %v", err)
					return
				}
			}
		})
	}
	p.WaitMetric(1, linesLost)
}

// ready asks /readyz, which is 200 whatever becomes of the log and of the ledger.
func ready(t *testing.T, p *harness.Process) string {
	t.Helper()
	status, text := p.Get("/readyz")
	if status != http.StatusOK || !strings.HasPrefix(text, "ready\n") {
		t.Errorf("/readyz: %d %q", status, text)
	}
	return text
}

// TestTheLogsReaderStalls: calls go on, the page and /readyz say that lines are
// lost, and when the reader comes back it gets every line of level error and
// how many others are missing.
func TestTheLogsReaderStalls(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Upstream: doubtful(t)})
	p.AdminAddr() // while the log is read
	p.Addr()
	p.HoldLog()
	askUntilLost(t, p)
	const doubts = 20
	in := dial(t, p)
	for i := range doubts {
		if answer := in.Send(get(fmt.Sprint("/doubt/", i))).Answer("GET"); answer.StatusCode != 502 || answer.Delivery() != "unknown" {
			t.Fatalf("%d %q", answer.StatusCode, answer.Delivery())
		}
	}
	if text := ready(t, p); !strings.Contains(text, behind) {
		t.Errorf("/readyz says nothing of the log: %q", text)
	}
	if _, page := p.Get("/"); !strings.Contains(page, behind) {
		t.Error("the status page says nothing of the log")
	}
	mark := p.Mark()
	lost := p.Metrics().Sum(linesLost)
	p.ReleaseLog()
	line := p.WaitLogAfter(mark, harness.Match{"msg": "log lines lost"})
	if line.String("lines") != asText(lost) || line.String("level") != "warn" {
		t.Errorf("%v, want %v lines", line, lost)
	}
	p.WaitLogs(mark, harness.Match{"level": "error", "delivery": "unknown"}, doubts)
	for i := range doubts {
		if n := len(p.Lines(mark, harness.Match{"path": fmt.Sprint("/doubt/", i)})); n != 1 {
			t.Errorf("%d lines of the doubtful call %d", n, i)
		}
	}
	in.Send(get("/after")).Answer("GET")
	p.WaitLogAfter(mark, harness.Match{"path": "/after"})
	if text := ready(t, p); text != "ready\n" {
		t.Errorf("/readyz afterwards: %q", text)
	}
}

// TestAStalledLogDoesNotKeepTheProcess: SIGTERM drains and ends as ever.
func TestAStalledLogDoesNotKeepTheProcess(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := startFault(t, fault.Options{Script: fault.Marked("/slow", fault.Hold(release))})
	p := harness.Start(t, harness.Options{Upstream: server, Config: "limits: {drain_timeout: 10s}"})
	p.AdminAddr()
	p.Addr()
	slow := dial(t, p).Send(get("/slow"))
	if err := server.Wait(patience(t), "GET /slow", 1); err != nil {
		t.Fatal(err)
	}
	p.HoldLog()
	askUntilLost(t, p)
	p.Signal(syscall.SIGTERM)
	close(release)
	if answer := slow.Answer("GET"); answer.StatusCode != 200 {
		t.Errorf("the call under way was answered %d", answer.StatusCode)
	}
	timer := time.NewTimer(harness.Patience)
	defer timer.Stop()
	select {
	case <-p.Ended():
	case <-timer.C:
		t.Error("the process has not ended: it waits for its log's reader")
	}
	p.ReleaseLog()
	if code := p.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestTheLogsReaderEnds: a closed pipe costs lines, not the process.
func TestTheLogsReaderEnds(t *testing.T) {
	t.Parallel()
	p := harness.Start(t, harness.Options{Upstream: doubtful(t)})
	p.AdminAddr()
	p.Addr()
	p.CloseLog()
	in := dial(t, p)
	for range 10 {
		in.Send(get("/call")).Answer("GET")
	}
	p.WaitMetric(1, linesLost)
	if text := ready(t, p); !strings.Contains(text, behind) {
		t.Errorf("/readyz: %q", text)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// TestTheLogsDiskIsFull: lines are counted, calls go on, and the process ends
// as ever.
func TestTheLogsDiskIsFull(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("SKIP: this system has no /dev/full")
	}
	// Its log cannot name its addresses, so the sockets are made here.
	main, mainFile := socket(t)
	admin, adminFile := socket(t)
	p := harness.Start(t, harness.Options{
		Upstream: doubtful(t), NoWait: true, Files: []*os.File{mainFile, adminFile},
		Config: fmt.Sprintf("listen: [{address: %q}]\nadmin: {address: %q}", main, admin),
		Under:  []string{"sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=2; exec "$@" 2>/dev/full`, "sh"},
	}).At(main, admin)
	const calls = 50
	in := dial(t, p)
	for range calls {
		if answer := in.Send(get("/call")).Answer("GET"); answer.StatusCode != 200 {
			t.Errorf("a call was answered %d", answer.StatusCode)
		}
	}
	p.WaitMetric(calls, linesLost)
	if text := ready(t, p); !strings.Contains(text, behind) {
		t.Errorf("/readyz: %q", text)
	}
	if _, page := p.Get("/"); !strings.Contains(page, behind) {
		t.Error("the status page says nothing of the log")
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// socket opens a listening socket that a process can inherit.
func socket(t *testing.T) (address string, file *os.File) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err = ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return ln.Addr().String(), file
}
