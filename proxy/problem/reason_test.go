package problem

import (
	"regexp"
	"slices"
	"testing"
)

// TestTable holds the table of the answers of our own (design, section 8). An
// answer that is not here cannot be given.
func TestTable(t *testing.T) {
	t.Parallel()
	type row struct {
		reason   string
		status   int
		delivery string
		closes   bool
	}
	want := []row{
		{"malformed", 400, "not_sent", true},
		{"malformed", 400, "unknown", true},
		{"host", 403, "not_sent", false},
		{"port", 403, "not_sent", false},
		{"acl", 403, "not_sent", false},
		{"internal_address", 403, "not_sent", false},
		{"proxy_auth", 407, "not_sent", false},
		{"too_large", 413, "not_sent", true},
		{"too_large", 413, "unknown", true},
		{"too_large", 431, "not_sent", true},
		{"too_large", 414, "not_sent", true},
		{"misdirected", 421, "not_sent", false},
		{"method", 501, "not_sent", false},
		{"method", 501, "not_sent", true},
		{"loop", 508, "not_sent", true},
		{"limit", 503, "not_sent", true},
		{"draining", 503, "not_sent", true},
		{"client_timeout", 408, "not_sent", true},
		{"client_timeout", 408, "unknown", true},
		{"client_gone", 502, "not_sent", true},
		{"dns", 502, "not_sent", false},
		{"connect", 502, "not_sent", false},
		{"tls", 502, "not_sent", false},
		{"tls_verify", 502, "not_sent", false},
		{"parent_proxy", 502, "not_sent", false},
		{"timeout", 504, "unknown", false},
		{"timeout", 504, "not_sent", false},
		{"reset", 502, "unknown", false},
		{"reset", 502, "not_sent", false},
		{"protocol", 502, "unknown", false},
	}
	var got []row
	for _, a := range Answers {
		got = append(got, row{a.Reason.String(), a.Status, a.Delivery.String(), a.Closes})
		p := Problem{Reason: a.Reason, Status: a.Status, Delivery: a.Delivery, Closes: a.Closes}
		if found := p.answer(); found != a {
			t.Errorf("%v is found for %v", found, a)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	for r := Malformed; r < numReasons; r++ {
		if !slices.ContainsFunc(Answers[:], func(a Answer) bool { return a.Reason == r }) {
			t.Errorf("%v has no answer", r)
		}
	}
	// A pair that nobody thought of is answered all the same, and is not a lie.
	for _, p := range []Problem{{Reason: Limit, Delivery: Unknown}, {Reason: Protocol}, {}, {Reason: numReasons, Delivery: Answered}} {
		if a := p.answer(); a.Status != 502 || !a.Closes || (a.Delivery == NotSent) != (p.Delivery == NotSent) {
			t.Errorf("%+v is answered %+v", p, a)
		}
	}
}

func TestReasonWords(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
	seen := map[string]bool{}
	for r := Malformed; r < numReasons; r++ {
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
