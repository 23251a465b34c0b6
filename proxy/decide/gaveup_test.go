package decide

import (
	"testing"
	"time"

	"tlslift/proxy/call"
)

func TestAskCaller(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		first  bool
		waited time.Duration
		want   bool
	}{
		{"the first request", true, 0, true},
		{"a kept connection", false, 0, false},
		{"a kept connection, short wait", false, 50 * time.Millisecond, false},
		{"a kept connection, longer wait", false, 51 * time.Millisecond, true},
	} {
		if got := AskCaller(tt.first, tt.waited); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestGaveUp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		over call.Handling
		s    call.Standing
		want bool
	}{
		{"there", call.Plain, call.Standing{}, false},
		{"there, over TLS", call.Terminated, call.Standing{}, false},
		{"reset", call.Plain, call.Standing{Reset: true}, true},
		{"reset, over TLS", call.Terminated, call.Standing{Reset: true}, true},
		{"half-closed with the request", call.Plain, call.Standing{Ended: true}, false},
		{"half-closed soon after", call.Plain, call.Standing{Ended: true, Late: 500 * time.Millisecond}, false},
		{"half-closed later", call.Plain, call.Standing{Ended: true, Late: 501 * time.Millisecond}, true},
		{"half-closed, nobody knows when", call.Plain, call.Standing{Ended: true, Late: -1}, false},
		{"ended over TLS with the request", call.Terminated, call.Standing{Ended: true}, true},
		{"ended over TLS, nobody knows when", call.Terminated, call.Standing{Ended: true, Late: -1}, true},
	} {
		if got := GaveUp(tt.over, tt.s); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
