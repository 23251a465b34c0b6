//go:build unix

package endurance

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

var (
	upgrades = flag.Int("upgrades", 3, "how often the program is upgraded")
	rate     = flag.Int("rate", 100, "calls a second meanwhile")
	slow     = flag.Duration("slow", time.Second, "how long the one slow call takes that is always under way")
)

// sends is what became of messages, by id.
type sends struct {
	mu      sync.Mutex
	heard   map[string]int // by the upstream
	lines   map[string]int // in the log, with status 200
	wrong   []string
	longest time.Duration
	slowest string
}

func (s *sends) note(counts map[string]int, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts[id]++
}

// call sends one message on a connection of its own.
func (s *sends) call(address, path, id string) {
	began := time.Now()
	status, problem, err := get(address, path+id)
	took := time.Since(began)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || status != http.StatusOK {
		s.wrong = append(s.wrong, fmt.Sprintf("%s: %d %s, %v", id, status, problem, err))
	}
	if path != "/slow/" && took > s.longest {
		s.longest, s.slowest = took, id
	}
}

func get(address, path string) (status int, problem string, err error) {
	conn, err := net.DialTimeout("tcp", address, harness.Patience)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	if _, err := io.WriteString(conn, "GET http://"+host+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return 0, "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header.Get("Tlslift-Error"), err
}

// TestUpgradesUnderLoad: calls come at a steady rate, and a slow one is always
// under way, while the program is upgraded again and again. None is refused,
// none is sent twice, each has one line and is counted. The longest wait is
// printed: it depends on the machine.
func TestUpgradesUnderLoad(t *testing.T) {
	s := &sends{heard: map[string]int{}, lines: map[string]int{}}
	idOf := func(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
	server, err := fault.New(fault.Options{
		Script: fault.Marked("/slow/", fault.Delay(*slow)),
		Heard: func(head []byte) {
			target, _, _ := strings.Cut(string(head), " HTTP/")
			s.note(s.heard, idOf(target))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	p := harness.Start(t, harness.Options{
		Upstream: server, Config: "state: {file: ledger.json}\nlog: {level: info}",
		Watch: func(_ string, fields harness.Line) bool {
			if fields.String("msg") == "request" && fields.String("status") == "200" {
				s.note(s.lines, idOf(fields.String("path")))
			}
			return fields.String("msg") != "request"
		},
	})
	address := p.Addr()
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { // one slow call after the other
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				s.call(address, "/slow/", fmt.Sprintf("s%d", n))
			}
		}
	})
	sent, began := 0, time.Now()
	slots := make(chan struct{}, 200) // a machine that is too slow for the rate has fewer calls, not a crowd of them
	running.Go(func() {
		for ; ; sent++ {
			due := began.Add(time.Duration(sent) * time.Second / time.Duration(*rate))
			select {
			case <-stop:
				return
			case <-time.After(time.Until(due)):
			}
			id := fmt.Sprintf("f%d", sent)
			slots <- struct{}{}
			running.Go(func() {
				s.call(address, "/fast/", id)
				<-slots
			})
		}
	})
	between := time.NewTicker(time.Second)
	defer between.Stop()
	for range *upgrades {
		<-between.C
		p.Upgrade()
	}
	<-between.C
	close(stop)
	took := time.Since(began)
	running.Wait()
	perSecond := float64(sent) / took.Seconds()
	p.WaitLogs(0, harness.Match{"msg": "stopped", "cut": 0}, *upgrades)
	p.Stop()

	s.mu.Lock()
	defer s.mu.Unlock()
	t.Logf("%d calls over %d upgrades, %.0f a second, a call of %v always under way; the longest wait %v (%s)",
		sent, *upgrades, perSecond, *slow, s.longest, s.slowest)
	for _, w := range s.wrong[:min(len(s.wrong), 20)] {
		t.Error(w)
	}
	for id, n := range s.heard {
		if n != 1 {
			t.Errorf("%s was sent %d times", id, n)
		}
		if s.lines[id] != 1 {
			t.Errorf("%s has %d lines", id, s.lines[id])
		}
	}
	if len(s.heard) < sent {
		t.Errorf("%d of %d calls reached the upstream", len(s.heard), sent)
	}
}
