package figures

import (
	"testing"
	"time"
)

func TestShort(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 0.01: "<0.1", 0.4: "0.4", 1: "1", 1.25: "1.2", 99: "99", 123.4: "123", 9999: "9999",
		10_000: "10k", 12_345: "12.3k", 1_000_000: "1M", 2_500_000_000: "2.5G",
	} {
		if got := Short(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 12_345: "12,345", 1_234_567: "1,234,567", -1000: "-1,000"} {
		if got := Count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := Plural(1, "client", "clients") + ", " + Plural(2000, "client", "clients"); got != "1 client, 2,000 clients" {
		t.Error(got)
	}
}

// A share that is nearly all is not all, and one that is nearly none is not none.
func TestPercent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		part, all int
		want      string
	}{
		{0, 0, "0%"},
		{0, 10, "0%"},
		{1, 3, "33%"},
		{10, 10, "100%"},
		{9406, 9411, "99.9%"},
		{99_999, 100_000, ">99.9%"},
		{199, 200, "99.5%"},
		{99, 100, "99%"},
		{1, 200, "0.5%"},
		{1, 100_000, "<0.1%"},
		{95, 10_000, "1%"},
	} {
		if got := Percent(c.part, c.all); got != c.want {
			t.Errorf("%d of %d: %s, want %s", c.part, c.all, got, c.want)
		}
	}
}

func TestLengthAndSpan(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for d, want := range map[time.Duration][2]string{
		0:                         {"0s", "less than a minute"},
		30 * time.Second:          {"30s", "less than a minute"},
		time.Minute:               {"1 minute", "1 minute"},
		150 * time.Second:         {"2m30s", "2 minutes"},
		36 * time.Hour:            {"36 hours", "1 day"},
		14 * day:                  {"14 days", "14 days"},
		5*time.Hour + time.Second: {"5h0m1s", "5 hours"},
	} {
		if got := [2]string{Length(d), Span(d)}; got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	sast := time.FixedZone("", 2*60*60)
	for want, at := range map[string]time.Time{
		"2026-11-30":           time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC),
		"2026-11-30 02:50 UTC": time.Date(2026, 11, 30, 2, 50, 34, 0, time.UTC),
		"2026-11-29 22:00 UTC": time.Date(2026, 11, 30, 0, 0, 0, 0, sast),
	} {
		if got := Moment(at); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

func TestLast(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		14 * 24 * time.Hour: "the last 14 days", 24 * time.Hour: "the last day", time.Minute: "the last minute", 36 * time.Hour: "the last 36 hours", time.Second: "the last 1s",
	} {
		if got := Last(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}
