package ledger

import (
	"math"
	"testing"
	"time"
)

func TestForecast(t *testing.T) {
	t.Parallel()
	now := epoch.Add(12 * time.Hour)
	in := func(days int) time.Time { return epoch.Add(time.Duration(days+1) * dayLong) } // the end of the day
	perWeek := func(n float64) float64 { return n / weekSeconds }
	const young, old = 20, 28
	unknown := math.NaN()
	for name, c := range map[string]struct {
		age      int // days
		insecure int
		slope    float64
		target   time.Time
		course   Course
		sentence string
	}{
		"fast enough":       {old, 10, perWeek(-2), in(60), OnTrack, "On track. 60 days to 2026-04-30. Needed: 1.2 clients a week. Pace: 2 fewer a week; none is left by 2026-04-05."},
		"too slow":          {old, 10, perWeek(-1), in(60), OffTrack, "Off track. 60 days to 2026-04-30. Needed: 1.2 clients a week. Pace: 1 fewer a week; none is left by 2026-05-10."},
		"no fewer":          {old, 10, 0, in(60), OffTrack, "Off track. 60 days to 2026-04-30. Needed: 1.2 clients a week. Pace: no fewer in the last 28 days."},
		"nearly none fewer": {old, 10, perWeek(-0.124), in(60), OffTrack, "Off track. 60 days to 2026-04-30. Needed: 1.2 clients a week. Pace: no fewer in the last 28 days."},
		"more":              {old, 10, perWeek(1.5), in(60), OffTrack, "Off track. 60 days to 2026-04-30. Needed: 1.2 clients a week. Pace: 1.5 more a week."},
		"young and more":    {young, 10, perWeek(1.5), in(60), Collecting, "60 days to 2026-04-30. Needed: 1.2 clients a week. There is no forecast yet."},
		"young and fewer":   {young, 10, perWeek(-2), in(60), OnTrack, "On track. 60 days to 2026-04-30. Needed: 1.2 clients a week. Pace: 2 fewer a week; none is left by 2026-04-05."},
		"not known":         {old, 10, unknown, in(60), Collecting, "60 days to 2026-04-30. Needed: 1.2 clients a week. There is no forecast yet."},
		"the last week":     {old, 1, 0, in(1), OffTrack, "Off track. 1 day to 2026-03-02. A client that has called insecurely since 2026-02-17 must change by then and be declared migrated, because an undeclared one counts for 14 days after its last insecure call."},
		"the day":           {old, 3, perWeek(-7), in(0), OffTrack, "Off track. The target is today, 2026-03-01. A client that has called insecurely since 2026-02-16 must change by then and be declared migrated, because an undeclared one counts for 14 days after its last insecure call."},
		"passed":            {young, 3, unknown, in(-1), OffTrack, "Off track. The target, 2026-02-28, was 1 day ago."},
		"passed, falling":   {old, 3, perWeek(-7), in(-1), OffTrack, "Off track. The target, 2026-02-28, was 1 day ago. Pace: 7 fewer a week; none is left by 2026-03-04."},
		"both":              {young, 2, unknown, in(5), Collecting, "5 days to 2026-03-06. A client that has called insecurely since 2026-02-21 must change by then and be declared migrated, because an undeclared one counts for 14 days after its last insecure call."},
		"two weeks":         {young, 3, unknown, in(14), Collecting, "14 days to 2026-03-15. Needed: 1.5 clients a week. There is no forecast yet."},
		"rounded":           {old, 2, perWeek(-0.2), in(91), OnTrack, "On track. 91 days to 2026-05-31. Needed: 1 client every 45 days. Pace: 1 fewer every 5 weeks; none is left by 2026-05-10."},
		"in days":           {old, 3, perWeek(-0.2), in(62), OffTrack, "Off track. 62 days to 2026-05-02. Needed: 1 client every 20 days. Pace: 1 fewer every 5 weeks; none is left by 2026-06-14."},
		"within two weeks":  {old, 7, perWeek(-0.2), in(62), OffTrack, "Off track. 62 days to 2026-05-02. Needed: 1 client every 8 days. Pace: 1 fewer every 5 weeks; none is left by 2026-11-01."},
		"few":               {old, 2, perWeek(-0.2), in(70), OnTrack, "On track. 70 days to 2026-05-10. Needed: 1 client every 5 weeks. Pace: 1 fewer every 5 weeks; none is left by 2026-05-10."},
		"far":               {young, 1, unknown, in(900), Collecting, "900 days to 2028-08-17. Needed: less than 1 client a year. There is no forecast yet."},
		"none left":         {old, 0, perWeek(-2), in(60), NoneLeft, "60 days to 2026-04-30. No client is insecure."},
		"nobody seen":       {0, 0, unknown, in(60), Collecting, "60 days to 2026-04-30. There is no forecast yet."},
		"never":             {old, 1_000_000, perWeek(-1), in(60), OffTrack, "Off track. 60 days to 2026-04-30. Needed: 115,703 clients a week. Pace: 1 fewer a week."},

		"no target, fewer":     {old, 10, perWeek(-1), time.Time{}, Falling, "Pace: 1 fewer a week; none is left by 2026-05-10."},
		"no target, no fewer":  {old, 10, 0, time.Time{}, Stalled, "Stalled. Pace: no fewer in the last 28 days."},
		"no target, young":     {young, 10, 0, time.Time{}, Collecting, ""},
		"no target, none left": {old, 0, 0, time.Time{}, NoneLeft, ""},
	} {
		s := Summary{Generated: now, MigratedAfterSeconds: 14 * 86400, Insecure: c.insecure}
		if c.age != 0 {
			s.FirstSeen = now.Add(-time.Duration(c.age) * dayLong)
		}
		s.Predict(c.slope, c.target)
		f := s.Forecast
		if f.Course != c.course {
			t.Errorf("%s: %s, want %s", name, f.Course, c.course)
		}
		if got := s.Outlook(); got != c.sentence {
			t.Errorf("%s:\n%s, want\n%s", name, got, c.sentence)
		}
	}
	if got := new(Summary).Outlook(); got != "" {
		t.Errorf("an instance that makes no forecast: %q", got)
	}
}
