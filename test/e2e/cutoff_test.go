package e2e

import (
	"fmt"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// TestCutOffAnswerToHTTP10: an HTTP/1.0 client takes the connection's end
// for the answer's. A truncated answer must end in a way that nobody can take
// for that.
func TestCutOffAnswerToHTTP10(t *testing.T) {
	t.Parallel()
	for _, action := range []fault.Action{
		fault.HalfChunked(large, fault.Close), fault.HalfChunked(large, fault.Cut), fault.HalfChunked(large, fault.Reset),
		fault.UntilClose(string(make([]byte, large)), fault.Cut), fault.UntilClose(string(make([]byte, large)), fault.Reset),
		fault.HalfBody(large, fault.Close), fault.HalfBody(large, fault.Reset),
	} {
		t.Run(action.Name, func(t *testing.T) {
			t.Parallel()
			server := startFault(t, fault.Options{Script: fault.Always(action)})
			p := harness.Start(t, harness.Options{Upstream: server})
			for _, w := range ways {
				in := w.open(t, p)
				target := "/x"
				if w.prefix != "" {
					target = w.prefix + legacyHost + target
				}
				answer, err := in.Send(fmt.Sprintf("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", target, legacyHost)).TryAnswer("GET")
				told := err == nil && answer.StatusCode == 502 && answer.Delivery() == "unknown"
				if err == nil && !told {
					t.Errorf("%s: %d bytes of %d look like a whole answer", w.name, len(answer.Text), large)
				}
			}
		})
	}
}

// TestHeldAnswerHasALength: an HTTP/1.0 caller learns how much is to come, of
// whatever the upstream sent in chunks.
func TestHeldAnswerHasALength(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	close(released)
	server := startFault(t, fault.Options{Script: fault.Always(fault.ChunksAround("one", released, "two"))})
	p := harness.Start(t, harness.Options{Upstream: server})
	for _, request := range []string{"GET / HTTP/1.0\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n", "GET / HTTP/1.1\r\n"} {
		answer := dial(t, p).Send(request + "Host: " + legacyHost + "\r\n\r\n").Answer("GET")
		if answer.Text != "onetwo" || answer.Header.Get("Content-Length") != "6" {
			t.Errorf("%q: %q, length %q", request, answer.Text, answer.Header.Get("Content-Length"))
		}
	}
}
