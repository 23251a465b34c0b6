package e2e

import (
	"fmt"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
)

// TestCutOffAnswerToHTTP10: whoever speaks HTTP/1.0 takes the connection's end
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
