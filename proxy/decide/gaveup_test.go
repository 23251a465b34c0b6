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
		s    call.PeerState
		want bool
	}{
		{"there", call.Plain, call.PeerState{}, false},
		{"there, over TLS", call.Terminated, call.PeerState{}, false},
		{"reset", call.Plain, call.PeerState{Reset: true}, true},
		{"reset, over TLS", call.Terminated, call.PeerState{Reset: true}, true},
		{"half-closed with the request", call.Plain, call.PeerState{HalfClosed: true}, false},
		{"half-closed soon after", call.Plain, call.PeerState{HalfClosed: true, Late: 500 * time.Millisecond}, false},
		{"half-closed later", call.Plain, call.PeerState{HalfClosed: true, Late: 501 * time.Millisecond}, true},
		{"half-closed, nobody knows when", call.Plain, call.PeerState{HalfClosed: true, Late: -1}, false},
		{"ended over TLS with the request", call.Terminated, call.PeerState{HalfClosed: true}, true},
		{"ended over TLS, nobody knows when", call.Terminated, call.PeerState{HalfClosed: true, Late: -1}, true},
	} {
		if got := GaveUp(tt.over, tt.s); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
