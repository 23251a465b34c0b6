package thirty

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"tlslift/test/dashboards/prom"
)

// Rule is a recording rule or an alert.
type Rule struct {
	Record, Alert, Expr string
	Labels              map[string]string
}

// Rules reads the rules of a file, in its order, with the interval of their
// groups.
func Rules(file string) (rules []Rule, intervals []time.Duration, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var content struct {
		Groups []struct {
			Interval string
			Rules    []Rule
		}
	}
	if err := yaml.Unmarshal(text, &content); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, g := range content.Groups {
		interval := time.Minute
		if g.Interval != "" {
			if interval, err = time.ParseDuration(g.Interval); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		for _, r := range g.Rules {
			rules, intervals = append(rules, r), append(intervals, interval)
		}
	}
	return rules, intervals, nil
}

// Fill writes the month into a Prometheus, and evaluates the rules as if it
// had been there all the time. It returns the world as it is in the end.
//
// Each day the rules are evaluated one after the other, each for the whole day.
// Those that carry their own last value on are evaluated once an hour, for
// they need what they said before; in between that holds.
func Fill(ctx context.Context, server *prom.Server, file string) (*World, error) {
	rules, intervals, err := Rules(file)
	if err != nil {
		return nil, err
	}
	f := filler{ctx: ctx, server: server, before: make([]map[string]prom.Series, len(rules))}
	w := NewWorld()
	for d := range Days {
		if err := server.Write(ctx, w.Day()); err != nil {
			return nil, fmt.Errorf("day %d: %w", d, err)
		}
		begin := Start.Add(time.Duration(d) * day)
		for n, r := range rules {
			step := intervals[n]
			if step > time.Minute {
				step = 4 * time.Minute // Prometheus takes a sample of up to 5 minutes ago
			}
			if strings.Contains(r.Expr, r.Record+"[") {
				err = f.carry(n, r, begin, step)
			} else {
				err = f.evaluate(n, r, begin, step)
			}
			if err != nil {
				return nil, fmt.Errorf("day %d, rule %s: %w", d, r.Record, err)
			}
		}
	}
	return w, nil
}

type filler struct {
	ctx    context.Context
	server *prom.Server
	before []map[string]prom.Series // by rule: the series that it gave last
}

// offset is how long before the full minute the rules of every minute are
// evaluated. Prometheus spreads its groups so, and a range of n minutes then
// has n values.
const offset = 7 * time.Second

// evaluate is a rule for the day after begin.
func (f *filler) evaluate(n int, r Rule, begin time.Time, step time.Duration) error {
	if step == time.Minute {
		begin = begin.Add(-offset)
	}
	from, to := begin.Add(step), begin.Add(day)
	series, err := f.server.QueryRange(f.ctx, r.Expr, from, to, step)
	if err != nil {
		return err
	}
	return f.record(n, r, series, from, to, step)
}

// carry is a rule at each hour after begin, held until the next.
func (f *filler) carry(n int, r Rule, begin time.Time, step time.Duration) error {
	for at := begin.Add(time.Hour); !at.After(begin.Add(day)); at = at.Add(time.Hour) {
		series, err := f.server.Query(f.ctx, r.Expr, at)
		if err != nil {
			return err
		}
		for s := range series {
			now := series[s].Samples[0]
			for held := at.Add(step); held.Before(at.Add(time.Hour)); held = held.Add(step) {
				series[s].Samples = append(series[s].Samples, prom.Sample{At: held.UnixMilli(), Value: now.Value})
			}
		}
		if err := f.record(n, r, series, at, at.Add(time.Hour-step), step); err != nil {
			return err
		}
	}
	return nil
}

// record writes what a rule gave from begin to end, and where it gave nothing
// more, that the series ended.
func (f *filler) record(n int, r Rule, series []prom.Series, begin, end time.Time, step time.Duration) error {
	now := make(map[string]prom.Series)
	var all []prom.Series
	for _, s := range series {
		s.Labels = maps.Clone(s.Labels)
		if s.Labels == nil {
			s.Labels = make(map[string]string)
		}
		maps.Copy(s.Labels, r.Labels)
		s.Labels["__name__"] = r.Record
		s.Samples = ended(s.Samples, end, step)
		key := fmt.Sprint(s.Labels) // a map is printed in the order of its keys
		if s.Samples[0].At != begin.UnixMilli() {
			if _, was := f.before[n][key]; was {
				s.Samples = slices.Insert(s.Samples, 0, prom.Sample{At: begin.UnixMilli(), Value: prom.Stale})
			}
		}
		if s.Samples[len(s.Samples)-1].At == end.UnixMilli() {
			now[key] = s
		}
		all = append(all, s)
		delete(f.before[n], key)
	}
	for _, gone := range f.before[n] {
		gone.Samples = []prom.Sample{{At: begin.UnixMilli(), Value: prom.Stale}}
		all = append(all, gone)
	}
	f.before[n] = now
	return f.server.Write(f.ctx, all)
}

// ended marks each gap in samples, and an end before the last one.
func ended(samples []prom.Sample, end time.Time, step time.Duration) []prom.Sample {
	var out []prom.Sample
	for i, s := range samples {
		out = append(out, s)
		next := s.At + step.Milliseconds()
		if next <= end.UnixMilli() && (i == len(samples)-1 || samples[i+1].At != next) {
			out = append(out, prom.Sample{At: next, Value: prom.Stale})
		}
	}
	return out
}
