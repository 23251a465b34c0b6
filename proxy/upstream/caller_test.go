package upstream

import (
	"net/http"
	"testing"

	"tlslift/proxy/problem"
)

// askedCaller is a Caller that says when it is asked.
type askedCaller struct {
	gone  bool
	asked int
}

func (c *askedCaller) Gone() bool { c.asked++; return c.gone }

// A request whose caller has gone is not sent, and its connection serves the
// next one.
func TestCallerIsGone(t *testing.T) {
	t.Parallel()
	s := memServer(t, answerAll)
	tr := start(t, s, func(o *Options) { o.Warm = 0 })
	r := route(t, tr, testHost)
	for _, gone := range []bool{true, false, true, false} {
		req, ex := newRequest(http.MethodPost, "/a", "body")
		c := &askedCaller{gone: gone}
		ex.Caller = c
		resp, err := tr.Do(t.Context(), req, r, ex)
		if c.asked != 1 {
			t.Errorf("asked %d times", c.asked)
		}
		if !gone {
			check(t, err)
			_ = resp.Body.Close()
			continue
		}
		if e, ok := err.(*Error); !ok || e.Reason != problem.ClientGone || ex.Delivery != problem.NotSent { //nolint:errorlint // the very value
			t.Errorf("gone: %v, %v", err, ex.Delivery)
		}
	}
	if accepted, _, requests := s.counts(); accepted != 1 || requests != 2 {
		t.Errorf("%d connections, %d requests", accepted, requests)
	}
}
