// Package boards reads the Grafana dashboards and asks a Prometheus what their
// panels ask, as Grafana would: with its steps, its variables and the panels'
// own time ranges.
package boards

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"tlslift/test/dashboards/prom"
)

// Board is what matters here of a dashboard.
type Board struct {
	Title string
	Time  struct{ From string }

	Panels []Panel
}

// Panel is what matters here of a panel.
type Panel struct {
	Title               string
	TimeFrom, TimeShift string
	Targets             []Target
}

// Target is one query of a panel.
type Target struct {
	RefID    string
	Expr     string
	Instant  bool
	Interval string // at least
}

const (
	day = 24 * time.Hour
	// points is how many a panel has room for.
	points = 1000
	// scrape is the interval that the data source is set up with.
	scrape = 30 * time.Second
	// all is the variables' value for All.
	all = ".*"
)

// Load reads a dashboard.
func Load(file string) (*Board, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var b Board
	if err := json.Unmarshal(text, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &b, nil
}

// Ask is the answer to one query of one panel, at a time that is now.
func (b *Board) Ask(ctx context.Context, s *prom.Server, p Panel, t Target, now time.Time) ([]prom.Series, error) {
	from, to, err := b.span(p, now)
	if err != nil {
		return nil, err
	}
	step, least := interval(to.Sub(from)/points), scrape
	if t.Interval != "" {
		if least, err = duration(t.Interval); err != nil {
			return nil, err
		}
	}
	step = max(step, least)
	expr := strings.NewReplacer(
		"$client", all,
		"$instance", all,
		"$__interval_ms", strconv.FormatInt(step.Milliseconds(), 10),
		"$__interval", text(step),
		"$__rate_interval", text(max(step+least, 4*least)),
	).Replace(t.Expr)
	if t.Instant {
		return s.Query(ctx, expr, to)
	}
	return s.QueryRange(ctx, expr, from.Truncate(step), to.Truncate(step), step)
}

// span is the panel's time range. A timeFrom of +90d with a timeShift of 45d is
// from 45 days ago to 45 days ahead.
func (b *Board) span(p Panel, now time.Time) (from, to time.Time, err error) {
	back, err := duration(strings.TrimPrefix(b.Time.From, "now-"))
	if err != nil {
		return from, to, err
	}
	from, to = now.Add(-back), now
	if p.TimeFrom != "" {
		ahead, err := duration(strings.TrimPrefix(p.TimeFrom, "+"))
		if err != nil {
			return from, to, err
		}
		from, to = now, now.Add(ahead)
	}
	if p.TimeShift != "" {
		shift, err := duration(p.TimeShift)
		if err != nil {
			return from, to, err
		}
		from, to = from.Add(-shift), to.Add(-shift)
	}
	return from, to, nil
}

// duration reads 30d, 6h, 10m or 30s.
func duration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		return time.Duration(n) * day, err
	}
	return time.ParseDuration(text)
}

func text(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) + "s" }

// interval rounds as Grafana does, from a second on.
func interval(d time.Duration) time.Duration {
	for _, r := range []struct{ below, is time.Duration }{
		{1500 * time.Millisecond, time.Second},
		{3500 * time.Millisecond, 2 * time.Second},
		{7500 * time.Millisecond, 5 * time.Second},
		{12500 * time.Millisecond, 10 * time.Second},
		{17500 * time.Millisecond, 15 * time.Second},
		{25 * time.Second, 20 * time.Second},
		{45 * time.Second, 30 * time.Second},
		{90 * time.Second, time.Minute},
		{210 * time.Second, 2 * time.Minute},
		{450 * time.Second, 5 * time.Minute},
		{750 * time.Second, 10 * time.Minute},
		{1050 * time.Second, 15 * time.Minute},
		{1500 * time.Second, 20 * time.Minute},
		{2700 * time.Second, 30 * time.Minute},
		{5400 * time.Second, time.Hour},
		{9000 * time.Second, 2 * time.Hour},
		{16200 * time.Second, 3 * time.Hour},
		{32400 * time.Second, 6 * time.Hour},
	} {
		if d < r.below {
			return r.is
		}
	}
	return 12 * time.Hour
}
