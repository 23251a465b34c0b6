//go:build linux

package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	head := "HTTP/1.1 200 OK\r\ncontent-length: 97\r\n\r\n"
	if len(answerBody) != 97 {
		t.Fatalf("the body is %d bytes long; correct the test and docs/benchmarks.md", len(answerBody))
	}
	for _, c := range []struct {
		name, in  string
		done, bad bool
	}{
		{"half a head", head[:30], false, false},
		{"head", head, false, false},
		{"half a body", head + answerBody[:50], false, false},
		{"whole", head + answerBody, true, false},
		{"more than whole", head + answerBody + "x", false, true},
		{"refused", "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 97\r\n\r\n", false, true},
		{"of no known length", "HTTP/1.1 200 OK\r\n\r\n", false, true},
	} {
		done, err := complete(append(make([]byte, 0, 4096), c.in...))
		if done != c.done || (err != nil) != c.bad {
			t.Errorf("%s: done %v, error %v", c.name, done, err)
		}
	}
}

func TestPairedIsTheMedianOfRatios(t *testing.T) {
	t.Parallel()
	s := series{{30, 60, 20}, {20, 30, 20}}
	if got := s.paired(0, 1); got != 1.5 {
		t.Errorf("paired: %v, want 1.5", got)
	}
	if got := s.median(0); got != 30 {
		t.Errorf("median: %v, want 30", got)
	}
}

// A request's time counts from when it was due, not from when a connection was
// free for it.
func TestScheduleCountsWaiting(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const pause = 30 * time.Millisecond
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := make([]byte, 4096)
		for {
			if _, err := conn.Read(in); err != nil {
				return
			}
			<-time.After(pause)
			if _, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 97\r\n\r\n" + answerBody)); err != nil {
				return
			}
		}
	}()
	answers, err := runSchedule(schedule{
		address: listener.Addr().String(), request: request(host, "keep-alive"), connections: 1,
		due: []time.Duration{0, 0, 0}, patience: 20 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range answers {
		if took := answer.took; took < time.Duration(i+1)*pause {
			t.Errorf("answer %d took %v; it waited for %d before it, %v each", i, took, i, pause)
		}
	}
}

func TestArrivalsKeepTheRate(t *testing.T) {
	t.Parallel()
	one, two := arrivals(10000, time.Second, 7), arrivals(10000, time.Second, 7)
	if len(one) < 9500 || len(one) > 10500 {
		t.Errorf("%d arrivals in a second, want about 10000", len(one))
	}
	if len(one) != len(two) || one[100] != two[100] {
		t.Error("the same seed gave other arrivals")
	}
}

// A stall that touches few windows decides the percentile of all requests, and
// not that of the typical window.
func TestTypicalLeavesStallsOut(t *testing.T) {
	t.Parallel()
	var all []served
	for at := time.Duration(0); at < 20*window; at += window / 200 {
		took := 100 * time.Microsecond
		if at/window%8 == 3 { // every eighth window
			took = 5 * time.Millisecond
		}
		all = append(all, served{at, took})
	}
	if got := typical(all, 99); got != 100 {
		t.Errorf("typical p99 %v us, want 100", got)
	}
	if got := percentile(all, 99); got != 5000 {
		t.Errorf("p99 of all %v us, want 5000", got)
	}
}

func TestReportReplacesResults(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(path, []byte("before\n"+resultsBegin+"old\n"+resultsEnd+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := report{cores: 2, versions: []string{"a", "b"}, tables: []table{{title: "T", header: []string{"", "x"}, rows: [][]string{{"a", "1"}}}}}
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "before\n" + resultsBegin + "One run on a machine with 2 cores. a; b.\n\n### T\n\n|  | x |\n|---|---:|\n| a | 1 |\n" + resultsEnd + "after\n"
	if string(text) != want {
		t.Errorf("got:\n%s\nwant:\n%s", text, want)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(want, resultsEnd, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.write(path); err == nil {
		t.Error("a document without the lines was accepted")
	}
}
