package ledger

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"tlslift/metrics/figures"
)

// Forecast is where the migration is heading. It continues from the current
// number of insecure clients along the least-squares line through their number at
// the end of each of the last 28 days (UTC). The recording rules in
// deploy/prometheus compute the same for a fleet.
type Forecast struct {
	Course        Course    `json:"course"`
	Target        time.Time `json:"target,omitzero"`           // the end of the day of policy.target
	DaysLeft      int       `json:"days_left,omitempty"`       // whole days until Target; negative after it
	NeededPerWeek float64   `json:"needed_per_week,omitempty"` // clients; in the last week, all that are left
	PerWeek       *float64  `json:"per_week,omitempty"`        // change in the number of insecure clients; absent = unknown
	End           time.Time `json:"end,omitzero"`              // when none is left at this pace; absent = unknown, or more than 100 years away
}

// Course sums up a forecast in one word.
type Course string

// The courses.
const (
	NoneLeft   Course = "none-left"  // no client is insecure
	Collecting Course = "collecting" // the history is too short for a forecast
	Falling    Course = "falling"    // their number is falling, and there is no target
	OnTrack    Course = "on-track"   // none is left by the target
	OffTrack   Course = "off-track"  // some are left at the target
	Stalled    Course = "stalled"    // their number is not falling, and there is no target
)

const (
	forecastDays = 28 // days of history
	minCloses    = 14 // ends of days; with fewer there is no pace
	weekSeconds  = 7 * 86400
	farthest     = 100 * 365 * 86400             // seconds ahead; a later end counts as never
	leastFall    = -0.5 / (forecastDays * 86400) // clients per second: half a client in 28 days; a slower fall does not count
)

// Predict computes the forecast from the number of insecure clients. slope is in
// clients per second, or NaN if unknown; target is zero if there is none. Before
// 28 days of history, only a falling number means anything. Until migrated_after
// has passed no client counts as migrated, while new clients keep appearing.
func (s *Summary) Predict(slope float64, target time.Time) {
	f := Forecast{Target: target, Course: Collecting}
	left := target.Sub(s.Generated)
	if !target.IsZero() {
		f.DaysLeft = int(math.Floor(left.Hours() / 24))
	}
	if !target.IsZero() && left > 0 {
		f.NeededPerWeek = rounded(float64(s.Insecure) / max(1, left.Seconds()/weekSeconds))
	}
	falling := slope <= leastFall
	if !math.IsNaN(slope) {
		perWeek := rounded(slope * weekSeconds)
		f.PerWeek = &perWeek
	}
	if ahead := float64(s.Insecure) / -slope; falling && ahead < farthest {
		f.End = time.Unix(s.Generated.Unix()+int64(ahead), 0).UTC()
	}
	old := !s.FirstSeen.IsZero() && s.Generated.Sub(s.FirstSeen) >= forecastDays*24*time.Hour
	switch {
	case s.FirstSeen.IsZero():
	case s.Insecure == 0:
		f.Course = NoneLeft
	case !target.IsZero() && left <= 0:
		f.Course = OffTrack
	case falling && target.IsZero():
		f.Course = Falling
	case falling && !f.End.IsZero() && !f.End.After(target):
		f.Course = OnTrack
	case falling, old && f.PerWeek != nil && !target.IsZero():
		f.Course = OffTrack
	case old && f.PerWeek != nil:
		f.Course = Stalled
	}
	s.Forecast = f
}

// Behind reports whether the migration is too slow: the condition of the alert
// MigrationOffTrack.
func (f Forecast) Behind() bool { return f.Course == OffTrack || f.Course == Stalled }

func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }

// Outlook puts the forecast into words, or returns "" if there is nothing to say.
// The zero Forecast is that of an instance that makes none.
func (s *Summary) Outlook() string {
	f := s.Forecast
	if f.Course == "" || f.Course == Collecting && f.Target.IsZero() {
		return ""
	}
	var parts []string
	switch day := f.TargetDate(); {
	case day == "":
	case f.DaysLeft > 0:
		parts = append(parts, fmt.Sprintf("%s to %s.", figures.Plural(f.DaysLeft, "day", "days"), day))
	case f.DaysLeft == 0:
		parts = append(parts, "The target is today, "+day+".")
	default:
		parts = append(parts, fmt.Sprintf("The target, %s, was %s ago.", day, figures.Plural(-f.DaysLeft, "day", "days")))
	}
	if f.Course == NoneLeft {
		if f.Target.IsZero() {
			return ""
		}
		return strings.Join(append(parts, "No client is insecure."), " ")
	}
	if course := map[Course]string{OnTrack: "On track.", OffTrack: "Off track.", Stalled: "Stalled."}[f.Course]; course != "" {
		parts = append([]string{course}, parts...)
	}
	if left := f.Target.Sub(s.Generated); left > 0 && left < s.migratedAfter() && s.Insecure > 0 {
		return strings.Join(append(parts, "A client that has called insecurely since "+figures.Moment(f.Target.Add(-s.migratedAfter()))+
			" must change by then and be declared migrated, because an undeclared one counts for "+
			figures.Length(s.migratedAfter())+" after its last insecure call."), " ")
	}
	if f.NeededPerWeek > 0 {
		parts = append(parts, "Needed: "+needed(f.NeededPerWeek)+".")
	}
	if pace := f.pace(); pace != "" {
		parts = append(parts, pace)
	}
	return strings.Join(parts, " ")
}

func (f Forecast) pace() string {
	switch {
	case (f.PerWeek == nil || f.Course == Collecting) && f.DaysLeft < 0:
		return "" // there is nothing left to forecast
	case f.PerWeek == nil, f.Course == Collecting:
		return "There is no forecast yet."
	case *f.PerWeek >= 0.05:
		return "Pace: " + rate(*f.PerWeek, "more", "more") + "."
	case *f.PerWeek > leastFall*weekSeconds:
		return "Pace: no fewer in the last 28 days."
	case f.End.IsZero():
		return "Pace: " + rate(-*f.PerWeek, "fewer", "fewer") + "."
	}
	return "Pace: " + rate(-*f.PerWeek, "fewer", "fewer") + "; none is left by " + f.End.Format(time.DateOnly) + "."
}

// TargetDate returns the day of the target, or "" if there is none.
func (f Forecast) TargetDate() string {
	if f.Target.IsZero() {
		return ""
	}
	return f.Target.UTC().Add(-time.Second).Format(time.DateOnly)
}

// needed formats how many clients must change, rounded so that this is enough.
func needed(perWeek float64) string {
	const week, year = 7, 52 * 7 // days
	days := math.Floor(week/perWeek + 1e-6)
	switch {
	case days <= week:
		perWeek = math.Ceil(perWeek*10-1e-6) / 10
	case days < year && math.Mod(days, week) != 0:
		return fmt.Sprintf("1 client every %.0f days", days)
	default:
		perWeek = week / days
	}
	return rate(perWeek, "client", "clients")
}

// rate formats a number per week. If it is below one, rate gives the weeks per
// item instead.
func rate(perWeek float64, one, many string) string {
	const year = 52 // weeks
	switch {
	case perWeek >= 999.5:
		return figures.Count(int(math.Round(perWeek))) + " " + many + " a week"
	case perWeek >= 0.95:
		if text := strings.TrimSuffix(strconv.FormatFloat(perWeek, 'f', 1, 64), ".0"); text != "1" {
			return text + " " + many + " a week"
		}
		return "1 " + one + " a week"
	case perWeek*year < 1:
		return "less than 1 " + one + " a year"
	}
	if weeks := int(math.Round(1 / perWeek)); weeks > 1 {
		return fmt.Sprintf("1 %s every %d weeks", one, weeks)
	}
	return "1 " + one + " a week"
}
