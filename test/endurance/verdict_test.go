package endurance

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
)

// upstreamTroubles are what may befall any request, by the connection it got. A
// reset before anything was sent is not one of them: there are other connections.
var upstreamTroubles = map[string][]string{
	"not_sent": {"connect", "tls", "timeout", "limit", "draining"},
	"unknown":  {"reset", "protocol", "timeout"},
}

// judge holds every call to what was promised of it.
func (s *stage) judge(t *testing.T) {
	t.Helper()
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	for i, what := range s.books.strange {
		if i == 20 {
			break
		}
		t.Error(what)
	}
	tally := map[string]int{}
	wrong := 0
	for _, k := range s.books.calls {
		word, complaint := k.judge()
		tally[word]++
		if complaint != "" {
			if wrong++; wrong <= 20 {
				t.Errorf("%s: %s", k, complaint)
			}
		}
	}
	if wrong > 20 {
		t.Errorf("%d more calls went wrong", wrong-20)
	}
	var words []string
	for word, n := range tally {
		words = append(words, fmt.Sprintf("%s %d", word, n))
	}
	sort.Strings(words)
	t.Logf("%d calls, %d lines: %s", len(s.books.calls), s.books.lines, strings.Join(words, ", "))
}

func (k *call) String() string {
	return fmt.Sprintf("%s %s by %s (manner %d, POST %v): told %d %q %q, %v; heard %d times; logged %v",
		k.fate.name, k.id, k.way.name, k.manner, k.post, k.status, k.problem, k.delivery, k.err, k.heard, k.lines)
}

// judge says in a word what became of the call, and what is wrong with that.
func (k *call) judge() (word, complaint string) {
	answered := k.err == nil && k.status != 0
	switch {
	case k.heard > 1:
		return "doubled", "the upstream received it more than once"
	case k.way.spliced():
		return "spliced", k.judgeSpliced(answered)
	case k.refused:
		return "turned away", k.judgeRefused()
	case len(k.lines) > 1:
		return "logged twice", "one line is due"
	case len(k.lines) == 1 && k.lines[0].delivery == "not_sent" && k.heard > 0:
		return "misjudged", "logged as not sent"
	case k.heard == 1 && len(k.lines) == 0:
		return "unlogged", "it was sent and nothing says so"
	case k.manner == hangUp || k.manner == resetting || k.manner == unfinished:
		return "left", ""
	case !answered:
		return k.judgeUnanswered()
	case len(k.lines) != 1:
		return "unlogged", "it was answered and nothing says so"
	case k.lines[0] != logged{strconv.Itoa(k.status), k.problem, k.delivery} && k.problem != "":
		return "misreported", "the log says something else than the answer"
	case k.lines[0].status != strconv.Itoa(k.status):
		return "misreported", "the log says another status"
	case k.problem == "":
		return strconv.Itoa(k.status), k.judgeBody(true)
	}
	return k.judgeProblem()
}

// judgeSpliced: what ends a broken answer is between the two ends.
func (k *call) judgeSpliced(answered bool) string {
	if k.fate.body == nil {
		return ""
	}
	return k.judgeBody(answered)
}

// judgeRefused: before a request there is only the handshake to fail, which is
// ours, and CONNECT, which we answer.
func (k *call) judgeRefused() string {
	if k.id[0] == 'd' { // at the end, when nobody is let in any more
		return ""
	}
	return "it never got in"
}

// judgeUnanswered: only an answer that was on its way may end early.
func (k *call) judgeUnanswered() (word, complaint string) {
	switch {
	case k.fate.cut && k.status == 200:
		return "cut off visibly", ""
	case k.id[0] == 'd' && k.heard == 0 && len(k.lines) == 0:
		return "too late", "" // the connection was idle when everything ended
	}
	return "unanswered", "a complete answer is due"
}

func (k *call) judgeProblem() (word, complaint string) {
	word = k.problem + " " + k.delivery
	switch {
	case k.problem == "client_gone" && k.delivery == "not_sent" && k.manner == halfClose && k.heard == 0:
		// Over TLS an end of the caller's side means that it left. In clear it does
		// if it came late, as on a busy machine it may.
	case !slices.Contains(upstreamTroubles[k.delivery], k.problem):
		complaint = "these words are not for this"
	case k.delivery == "not_sent" && k.heard > 0:
		complaint = "told that it was not sent"
	case k.status < 500:
		complaint = "a status for an upstream's fault"
	}
	return word, complaint
}

// judgeBody: an answer of the upstream's is the one to this request, whole.
func (k *call) judgeBody(answered bool) string {
	switch {
	case !answered:
		return ""
	case k.heard != 1:
		return "answered by somebody who never received it"
	case k.fate.status == 0 && k.fate.name != "then-reset":
		return "a broken answer passed for a whole one"
	case k.fate.status != 0 && k.status != k.fate.status:
		return "another status than the upstream's"
	case k.fate.body != nil && k.body != k.fate.body(k.id):
		return fmt.Sprintf("another body than the upstream's: %.60q", k.body)
	}
	return ""
}
