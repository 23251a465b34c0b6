package chart

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
)

// summary is one of a day history with a target so many days after today.
func summary(days, target int, perWeek *float64) *ledger.Summary {
	s := &ledger.Summary{Generated: last, Insecure: 10}
	for i := range days {
		date := last.AddDate(0, 0, i+1-days).Format(time.DateOnly)
		s.BurnDown = append(s.BurnDown, ledger.DayStates{Date: date, Insecure: 8, Mixed: 2, Silent: 1, Migrated: 9})
	}
	if target != 0 {
		s.Forecast = ledger.Forecast{Target: last.Truncate(24*time.Hour).AddDate(0, 0, 1+target), PerWeek: perWeek}
	}
	return s
}

func TestBurnDownShowsEveryStateOfEachDay(t *testing.T) {
	t.Parallel()
	svg := string(BurnDown(summary(40, 0, nil)).SVG())
	for class, want := range map[string]int{"bar-insecure": 40, "bar-mixed": 40, "bar-silent": 40, "bar-migrated": 40, "needed": 0, "pace": 0, "target": 0} {
		if n := strings.Count(svg, `class="`+class+`"`); n != want {
			t.Errorf("%d of %s, want %d", n, class, want)
		}
	}
	if !strings.Contains(svg, "2026-03-01: 8 insecure, 2 mixed, 1 silent, 9 migrated clients") {
		t.Error("a day says nothing in words")
	}
}

// The line of what is needed ends at none on the target; the pace ends where it
// reaches none, or at the edge of the picture.
func TestBurnDownLeadsToTheTarget(t *testing.T) {
	t.Parallel()
	const bottomLine, edge = base, width - right
	perWeek := func(v float64) *float64 { return &v }
	for name, c := range map[string]struct {
		target       int
		perWeek      *float64
		neededToNone bool
		paceToNone   bool
		pace, label  bool
	}{
		"faster":       {60, perWeek(-7), true, true, true, true},
		"slower":       {60, perWeek(-.5), true, false, true, true},
		"more":         {60, perWeek(3), true, false, true, true},
		"no fewer":     {60, perWeek(0), true, false, true, true},
		"not known":    {60, nil, true, false, false, true},
		"far away":     {600, perWeek(-.5), false, false, true, false},
		"on the day":   {0, nil, false, false, false, false},
		"has passed":   {-3, perWeek(-1), false, false, true, false},
		"the next day": {1, perWeek(-1), true, false, true, true},
	} {
		svg := string(BurnDown(summary(90, c.target, c.perWeek)).SVG())
		end := func(class string) (x, y float64, drawn bool) {
			m := regexp.MustCompile(`class="` + class + `" x1="[\d.]+" y1="[\d.]+" x2="([\d.]+)" y2="([\d.]+)"`).FindStringSubmatch(svg)
			if m == nil {
				return 0, 0, false
			}
			x, _ = strconv.ParseFloat(m[1], 64)
			y, _ = strconv.ParseFloat(m[2], 64)
			return x, y, x <= edge+.1 && y <= bottomLine+.1 && y >= top-.1
		}
		x, y, _ := end("needed")
		if got := y == bottomLine && x > edge-.2; got != c.neededToNone {
			t.Errorf("%s: the needed line ends at %g, %g", name, x, y)
		}
		x, y, inside := end("pace")
		if inside != c.pace && x != 0 || (y == bottomLine) != c.paceToNone && c.target > 0 {
			t.Errorf("%s: the pace ends at %g, %g", name, x, y)
		}
		label := "target " + last.AddDate(0, 0, c.target).Format(time.DateOnly)
		if strings.Contains(svg, label) != c.label {
			t.Errorf("%s: label %q", name, label)
		}
	}
}

// A burn-down of one day has room for more, so that its bar is no wall.
func TestBurnDownOfTheFirstDay(t *testing.T) {
	t.Parallel()
	c := BurnDown(summary(1, 0, nil))
	if c.Days != fewestDays || !strings.Contains(string(c.SVG()), fmt.Sprintf(">%s<", last.AddDate(0, 0, 1-fewestDays).Format(time.DateOnly))) {
		t.Errorf("%d days", c.Days)
	}
}
