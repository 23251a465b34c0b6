//go:build unix

package handover

import (
	"encoding/json"
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

// TestFirstMessage: the first message must have the state.
func TestFirstMessage(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		`{"state":{}}`:   "",
		`{}`:             "its first message has no state",
		`{"state":null}`: "its first message has no state",
		`[]`:             "cannot unmarshal array",
	} {
		next, previous := conversationOf(t)
		if _, err := next.talk.Write([]byte(sent)); err != nil {
			t.Fatal(err)
		}
		state, err := previous.talk.state()
		if want == "" && (state == nil || err != nil) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, %v", sent, state, err)
		}
	}
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

// TestAnOutcomeOfAnotherVersion: an outcome that cannot be read is lost, with an error,
// and those after it are counted.
func TestAnOutcomeOfAnotherVersion(t *testing.T) {
	t.Parallel()
	next, previous := conversationOf(t)
	served, counted := make(chan error, 1), 0
	go func() {
		_, err := previous.Serving(func(*call.Outcome) { counted++ })
		served <- err
	}()
	if err := next.talk.receive(wordServing, time.Time{}); err != nil {
		t.Fatal(err)
	}
	for _, o := range []json.RawMessage{json.RawMessage(`{"client":"10.0.0.1"}`), Encode(&call.Outcome{})} {
		if err := next.Outcome(o); err != nil {
			t.Fatal(err)
		}
	}
	next.Finish(0)
	if err := <-served; counted != 1 || err == nil || !strings.Contains(err.Error(), "read what the old process counts") {
		t.Errorf("%d counted, %v", counted, err)
	}
}
