//go:build unix

package handover

import (
	"strings"
	"testing"
	"time"

	"tlslift/proxy/call"
)

// conversationOf is the two ends of a conversation within this process.
func conversationOf(t *testing.T) (*Next, *Previous) {
	t.Helper()
	near, far, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newTalk(far)
	if err != nil {
		t.Fatal(err)
	}
	return &Next{talk: near}, &Previous{talk: other}
}

// TestWhetherTheOldProcessWasDone: outcomes are complete if it said so, and not if
// it was killed.
func TestWhetherTheOldProcessWasDone(t *testing.T) {
	t.Parallel()
	for _, done := range []bool{true, false} {
		next, previous := conversationOf(t)
		served := make(chan error, 1)
		counted, linesLost := 0, uint64(0)
		go func() {
			var err error
			linesLost, err = previous.Serving(func(*call.Outcome) { counted++ })
			served <- err
		}()
		if err := next.talk.receive(wordServing, time.Time{}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := next.Outcome(Encode(&call.Outcome{})); err != nil {
				t.Fatal(err)
			}
		}
		if done {
			next.Finish(7)
		} else {
			next.talk.Close()
		}
		err := <-served
		if counted != 3 || (linesLost == 7) != done || (err == nil) != done || err != nil && !strings.Contains(err.Error(), "without saying that it was done") {
			t.Errorf("done %v: %d counted, %v", done, counted, err)
		}
	}
}
