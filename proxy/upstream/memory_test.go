package upstream

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/budget"
	"tlslift/proxy/problem"
)

// TestAnswersShareMemory: what a request owns holds an answer of 64 KiB. A larger
// one is held as far as memory is free, and else streams.
func TestAnswersShareMemory(t *testing.T) {
	t.Parallel()
	const small, large = 64 << 10, 300_000
	for name, tt := range map[string]struct {
		size   int
		head   string
		memory int64
		held   bool
	}{
		"small, no more memory":          {small, "Content-Length: 65536\r\n", budget.PerSend, true},
		"small, chunked, no more memory": {small, "Transfer-Encoding: chunked\r\n", budget.PerSend, true},
		"large, no more memory":          {large, "Content-Length: 300000\r\n", budget.PerSend, false},
		"large, chunked, no more memory": {large, "Transfer-Encoding: chunked\r\n", budget.PerSend, false},
		"large, memory for a part of it": {large, "Content-Length: 300000\r\n", 2 * (budget.PerSend + 100_000), false},
		"large, enough memory":           {large, "Content-Length: 300000\r\n", 2 * (budget.PerSend + 5<<16), true},
		"large, chunked, enough memory":  {large, "Transfer-Encoding: chunked\r\n", 2 * (budget.PerSend + 5<<16), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := strings.Repeat("x", tt.size)
			sent := body
			if strings.Contains(tt.head, "chunked") {
				sent = strings.Repeat("1000\r\n"+strings.Repeat("x", 0x1000)+"\r\n", tt.size/0x1000)
				if rest := tt.size % 0x1000; rest > 0 {
					sent += "1\r\nx\r\n"
					body = body[:tt.size/0x1000*0x1000+1]
				}
				sent += "0\r\n\r\n"
			}
			s := newServer(t, scripted("HTTP/1.1 200 OK\r\n"+tt.head+"\r\n"+sent, nil))
			tr := start(t, s)
			b := budget.New(t.Context(), tt.memory)
			share := b.Share()
			req, ex := newRequest("GET", "/", "")
			ex.Share = &share
			resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
			check(t, err)
			if held := ex.Delivery == problem.Answered; held != tt.held {
				t.Errorf("held: %t, with %d bytes", held, b.Held())
			}
			if b.Held() > tt.memory {
				t.Errorf("%d bytes are held", b.Held())
			}
			got, err := io.ReadAll(resp.Body)
			check(t, err)
			_ = resp.Body.Close()
			if string(got) != body || ex.Delivery != problem.Answered {
				t.Errorf("%d bytes of %d, %v", len(got), len(body), ex.Delivery)
			}
			if b.Held() != budget.PerSend {
				t.Errorf("%d bytes are held when all was read", b.Held())
			}
			share.Release(0)
			if b.Held() != 0 {
				t.Errorf("%d bytes are held at the end", b.Held())
			}
		})
	}
}

// TestNoMemoryToSend: a request that finds no memory for its answer is not sent;
// one that waits for it is.
func TestNoMemoryToSend(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"a GET": "", "a large POST": strings.Repeat("b", 10_000)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, scripted("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", nil))
			tr := start(t, s)
			b := budget.New(t.Context(), budget.PerSend)
			other, share := b.Share(), b.Share()
			if !other.Reserve(0) {
				t.Fatal("not free")
			}
			method := "GET"
			if body != "" {
				method = "POST"
			}
			req, ex := newRequest(method, "/", body)
			ex.Share = &share
			_, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
			var e *Error
			if !errors.As(err, &e) || e.Reason != problem.Limit || e.Delivery != problem.NotSent || ex.Delivery != problem.NotSent {
				t.Fatalf("%v, %v", err, ex.Delivery)
			}
			if _, _, requests := s.counts(); requests > 0 {
				t.Error("it was sent")
			}
			time.AfterFunc(10*time.Millisecond, func() { other.Release(0) })
			req, _ = newRequest(method, "/", body)
			resp, err := tr.Do(t.Context(), req, route(t, tr, testHost), ex)
			check(t, err)
			_ = resp.Body.Close()
			share.Release(0)
			if b.Held() != 0 {
				t.Errorf("%d bytes are held at the end", b.Held())
			}
		})
	}
}
