package problem

import (
	"regexp"
	"testing"
)

// TestTable holds the table of the answers of our own (design, section 8).
func TestTable(t *testing.T) {
	t.Parallel()
	type row struct {
		status int
		closes bool
	}
	table := map[Reason]row{
		Malformed: {400, true}, Host: {403, false}, Port: {403, false}, ACL: {403, false}, InternalAddress: {403, false},
		ProxyAuth: {407, false}, TooLarge: {413, true}, Misdirected: {421, false},
		Method: {501, false}, Loop: {508, true}, Limit: {503, true}, Draining: {503, true},
		ClientTimeout: {408, true}, DNS: {502, false}, Connect: {502, false}, TLS: {502, false}, TLSVerify: {502, false},
		ParentProxy: {502, false}, Timeout: {504, false}, Reset: {502, false}, Protocol: {502, false},
	}
	word := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for r := Malformed; r < numReasons; r++ {
		want, ok := table[r]
		if !ok {
			t.Errorf("%v is not in the table", r)
			continue
		}
		if r.Status() != want.status || r.Closes() != want.closes {
			t.Errorf("%v: %d, closes %v; want %d, %v", r, r.Status(), r.Closes(), want.status, want.closes)
		}
		if !word.MatchString(r.String()) || seen[r.String()] {
			t.Errorf("%q is not a word of its own", r)
		}
		seen[r.String()] = true
		if r.Denied() == r.Upstream() {
			t.Errorf("%v: denied %v, upstream %v", r, r.Denied(), r.Upstream())
		}
	}
	if None.String() != "" || numReasons.String() != "" {
		t.Error("there are words for no reason")
	}
	for _, r := range DeniedReasons {
		if !r.Denied() {
			t.Errorf("%v is listed as denied", r)
		}
	}
	for _, r := range UpstreamReasons {
		if !r.Upstream() {
			t.Errorf("%v is listed as the upstream's", r)
		}
	}
	if denied, up := len(DeniedReasons), len(UpstreamReasons); denied+up != int(numReasons)-1 {
		t.Errorf("%d denied and %d of the upstream leave some out", denied, up)
	}
}

func TestDeliveryWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[Delivery]string{NotSent: "not_sent", Unknown: "unknown", Answered: "answered"} {
		if d.String() != want {
			t.Errorf("%d is %q, want %q", d, d, want)
		}
	}
}

func TestLevelOf(t *testing.T) {
	t.Parallel()
	warned := map[Reason]bool{
		InternalAddress: true, Loop: true, Limit: true, DNS: true, Connect: true, TLS: true, TLSVerify: true, ParentProxy: true,
		Timeout: true, Reset: true, Protocol: true,
	}
	for r := Malformed; r < numReasons; r++ {
		want := LevelInfo
		if warned[r] {
			want = LevelWarn
		}
		if got := LevelOf(r, NotSent); got != want {
			t.Errorf("%v, not sent: %v, want %v", r, got, want)
		}
		if got := LevelOf(r, Unknown); got != LevelError {
			t.Errorf("%v, unknown: %v, want error", r, got)
		}
	}
	if got := LevelOf(None, Unknown); got != LevelInfo {
		t.Errorf("nothing wrong: %v, want info", got)
	}
	for l, want := range map[Level]string{LevelInfo: "info", LevelWarn: "warn", LevelError: "error"} {
		if l.String() != want {
			t.Errorf("level %d is %q, want %q", l, l, want)
		}
	}
}
