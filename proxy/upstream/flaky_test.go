package upstream

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"tlslift/proxy/problem"
)

// A server that misbehaves at random, under load: whatever happens, the
// server gets no request twice, and the words are true.
func TestFlakyServer(t *testing.T) {
	t.Parallel()
	networks(t, flakyServer)
}

func flakyServer(t *testing.T, newServer maker) {
	s := newServer(t, func(c *serverConn) {
		random := rand.New(rand.NewPCG(uint64(c.index), 1))
		for {
			if random.IntN(8) == 0 { // ends while idle, some time or other
				timer := time.AfterFunc(time.Duration(random.IntN(3000))*time.Microsecond, func() { _ = c.raw.Close() })
				defer timer.Stop()
			}
			req, ok := c.request()
			if !ok {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			switch random.IntN(12) {
			case 0:
				return
			case 1:
				c.reset()
				return
			case 2:
				c.say("HTTP/1.1 200 OK\r\nContent-")
				return
			case 3:
				c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")
				return
			case 4:
				c.say(okAnswer) // and closes without having said so
				return
			case 5:
				c.say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
				return
			default:
				c.say(okAnswer)
			}
		}
	})
	tr := startWith(t, s, time.Now, func(o *Options) { o.MaxConns, o.Warm = 6, 2 })
	r := route(t, tr, testHost)
	var mu sync.Mutex
	outcome := make(map[string]problem.Delivery)
	var wg sync.WaitGroup
	for worker := range 12 {
		wg.Go(func() {
			for i := range 60 {
				target := fmt.Sprintf("/%d/%d", worker, i)
				method, body := "GET", ""
				if i%3 == 0 {
					method, body = "POST", strings.Repeat("x", []int{1, 1000, 2 * smallBody}[i/3%3])
				}
				_, text, ex, err := send(tr, r, method, target, body)
				if (err == nil) != (ex.Delivery == problem.Answered) || err == nil && text != "ok" {
					t.Errorf("%s: %v, %q, %v", target, ex.Delivery, text, err)
				}
				mu.Lock()
				outcome[method+" "+target] = ex.Delivery
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	tr.Close()
	got := make(map[string]int)
	s.mu.Lock()
	for _, req := range s.requests {
		got[req]++
	}
	s.mu.Unlock()
	words := make(map[problem.Delivery]int)
	for req, d := range outcome {
		words[d]++
		n := got[req]
		if n > 1 || d == problem.Answered && n != 1 || d == problem.NotSent && n != 0 {
			t.Errorf("%s: %v, and the server got it %d times", req, d, n)
		}
	}
	if words[problem.Answered] == 0 || words[problem.Unknown] == 0 {
		t.Errorf("%v", words)
	}
}
