//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const manyClients = 10_000

// fullLedger writes the state file of an instance that has seen many clients.
func fullLedger(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ledger.json")
	l := ledger.New(ledger.Options{File: file})
	for i := range manyClients {
		l.Record(&call.Outcome{
			Client: call.Identity{Name: fmt.Sprintf("10.0.%d.%d", i/250, i%250), Source: call.SourceAddress},
			End:    time.Now(), Ours: true, Ingress: call.Forward, Host: "api.smsportal.com", UserAgent: "Java/1.6.0_45", Exposed: 1,
			Observation: &call.Observation{Ours: true, Ingress: call.Forward, Handling: call.Plain},
		})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

// peakKiB is the most memory that a process has held so far.
func peakKiB(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAskersWhoDoNotReadCostLittle: 200 of them, each for all of 10,000 clients.
// One that reads gets every client, page by page, as the report does.
func TestAskersWhoDoNotReadCostLittle(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "state: {file: "+fullLedger(t)+"}")
	p.WaitMetric(manyClients, "tlslift_clients", "kind", "tracked")
	before := peakKiB(t, p.PID())
	busy, asking := 0, []net.Conn(nil)
	for i := range 200 {
		conn, err := net.Dial("tcp", p.AdminAddr())
		if err != nil {
			t.Fatal(err)
		}
		asking = append(asking, conn)
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(harness.Patience))
		io.WriteString(conn, "GET "+[]string{"/api/v1/clients", "/", "/api/v1/summary"}[i%3]+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		status := make([]byte, len("HTTP/1.1 200"))
		if _, err := io.ReadFull(conn, status); err != nil {
			t.Fatal(err)
		}
		switch string(status) {
		case "HTTP/1.1 200":
		case "HTTP/1.1 503":
			busy++
			response, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader(string(status)), conn)), nil)
			if err != nil || response.Header.Get("Retry-After") == "" {
				t.Errorf("a busy answer without Retry-After: %v", err)
			}
		default:
			t.Errorf("%q", status)
		}
	}
	grown := peakKiB(t, p.PID()) - before
	t.Logf("200 askers: %d were told to come again, %d KiB more memory", busy, grown)
	switch {
	case harness.RaceEnabled:
		t.Log("NOT HELD: the race detector multiplies memory")
	case grown > 64<<10:
		t.Errorf("200 askers who do not read cost %d KiB", grown)
	}
	if busy == 0 {
		t.Error("nobody was told to come again")
	}
	for _, conn := range asking {
		conn.Close()
	}
	report := harness.Run(t, nil, "report", "--admin", "http://"+p.AdminAddr(), "--format", "json")
	var got struct{ Clients []struct{ Client string } }
	if err := json.Unmarshal([]byte(report.Stdout), &got); err != nil || report.Code != 0 || len(got.Clients) != manyClients {
		t.Errorf("the report: %d, %v, %d clients, %s", report.Code, err, len(got.Clients), report.Stderr)
	}
}
