// Package chart draws a daily history as SVG: one stacked bar per day, the worst
// part at the bottom. Colours come by class from the style sheet of the
// surrounding page, so one drawing serves light and dark themes.
package chart

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
	"time"

	"tlslift/metrics/figures"
)

// Point is one day.
type Point struct {
	Date   string   // 2006-01-02, UTC
	Values []uint64 // one for each part
}

func (p Point) total() (n uint64) {
	for _, v := range p.Values {
		n += v
	}
	return n
}

// Chart describes a drawing.
type Chart struct {
	ID     string   // unique in the page; letters, digits and dashes
	Title  string   // for people who cannot see the drawing
	Unit   string   // "clients", "requests"
	Parts  []string // of a bar, from the bottom; the class of each is "bar-" and its name
	Points []Point
	Last   time.Time // the last day drawn
	Days   int       // number of days up to Last
	Ahead  *Ahead    // nil = nothing is drawn after Last
}

// Ahead is how a number must fall to 0 by a target, and how it does fall.
type Ahead struct {
	From   float64   // the number now
	Target time.Time // the end of the day by which the number should be 0
	PerDay float64   // its change per day; NaN = unknown
}

// The dimensions of the drawing, in SVG user units.
const (
	width, height            = 560, 176
	left, right, top, bottom = 52, 8, 14, 24
	base                     = height - bottom
	thinnest                 = 2   // height of a part of a bar, so that one client among thousands can be seen
	between                  = 1.5 // gap between two parts
	titledDays               = 130 // with more, a bar is too thin to point at
	fewestAhead              = 30  // days, unless the target is nearer
)

// scale maps days and values to positions in the drawing.
type scale struct {
	days, ahead int
	ceiling     uint64
}

func (s scale) step() float64           { return float64(width-left-right) / float64(max(s.days+s.ahead, 1)) }
func (s scale) x(days float64) float64  { return left + days*s.step() }
func (s scale) y(value float64) float64 { return base - value*(base-top)/float64(s.ceiling) }

// SVG returns the drawing. Days without a point stay empty.
func (c Chart) SVG() template.HTML {
	byDate := make(map[string]Point, len(c.Points))
	for _, p := range c.Points {
		byDate[p.Date] = p
	}
	first := c.Last.UTC().AddDate(0, 0, 1-c.Days)
	date := func(i int) string { return first.AddDate(0, 0, i).Format(time.DateOnly) }
	highest := uint64(1)
	for i := range c.Days {
		highest = max(highest, byDate[date(i)].total())
	}
	s := scale{days: c.Days, ceiling: niceCeiling(highest)}
	if c.Ahead != nil {
		s.ahead = min(max(c.toTarget(), 0), max(c.Days, fewestAhead))
	}

	var b strings.Builder
	id := html.EscapeString(c.ID)
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-desc">`, width, height, id, id)
	fmt.Fprintf(&b, `<title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`, id, html.EscapeString(c.Title), id, html.EscapeString(c.describe(byDate, date)))
	c.axes(&b, s, date)
	for i := range c.Days {
		if p, ok := byDate[date(i)]; ok && p.total() > 0 {
			c.bar(&b, p, s, i)
		}
	}
	if c.Ahead != nil {
		c.ahead(&b, s)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and texts escaped above
}

// toTarget returns how many days the target is after the last day drawn.
func (c Chart) toTarget() int {
	end := c.Last.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	return int(math.Ceil(c.Ahead.Target.Sub(end).Hours() / 24))
}

func (c Chart) bar(b *strings.Builder, p Point, s scale, day int) {
	fmt.Fprint(b, `<g>`)
	if c.Days <= titledDays {
		fmt.Fprintf(b, `<title>%s: %s</title>`, html.EscapeString(p.Date), html.EscapeString(c.inWords(p)))
	}
	var sum uint64
	upper := float64(base) // of the previous part
	for i, v := range p.Values {
		if v == 0 {
			continue
		}
		start := upper
		if sum > 0 {
			start -= between
		}
		sum += v
		upper = min(s.y(float64(sum)), start-thinnest)
		fmt.Fprintf(b, `<rect class="bar-%s" x="%.2f" y="%.2f" width="%.2f" height="%.2f"/>`,
			html.EscapeString(c.Parts[i]), s.x(float64(day)), upper, s.step()-min(1, s.step()/5), start-upper)
	}
	fmt.Fprint(b, `</g>`)
}

// inWords returns a day's figures in words: "4 insecure, 3 secure clients".
func (c Chart) inWords(p Point) string {
	var parts []string
	for i, v := range p.Values {
		parts = append(parts, figures.Count(int(v))+" "+c.Parts[i])
	}
	return strings.Join(parts, ", ") + " " + c.Unit
}

// ahead draws the way to the target, and where the current pace leads.
func (c Chart) ahead(b *strings.Builder, s scale) {
	a, days := c.Ahead, float64(s.ahead)
	target := float64(c.toTarget())
	if target > 0 {
		c.line(b, s, "needed", min(target, days), -a.From/target)
	}
	if target <= days {
		x := s.x(float64(s.days) + target)
		fmt.Fprintf(b, `<line class="target" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, x, x, top, base)
	}
	switch {
	case math.IsNaN(a.PerDay), a.From == 0:
	case a.PerDay < 0:
		c.line(b, s, "pace", min(days, a.From/-a.PerDay), a.PerDay)
	case a.PerDay > 0:
		c.line(b, s, "pace", min(days, (float64(s.ceiling)-a.From)/a.PerDay), a.PerDay)
	default:
		c.line(b, s, "pace", days, 0)
	}
}

// line draws how the number changes from now on, for some days.
func (c Chart) line(b *strings.Builder, s scale, class string, days, perDay float64) {
	fmt.Fprintf(b, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class,
		s.x(float64(s.days)), s.y(c.Ahead.From), s.x(float64(s.days)+days), s.y(max(0, c.Ahead.From+perDay*days)))
}

// axes draws the grid lines, the base line and the dates.
func (c Chart) axes(b *strings.Builder, s scale, date func(int) string) {
	for i := range 3 {
		if i == 1 && s.ceiling%2 == 1 {
			continue
		}
		value := s.ceiling * uint64(i) / 2
		y := s.y(float64(value))
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, y, y)
		fmt.Fprintf(b, `<text class="axis" x="%d" y="%.1f" dy=".35em" text-anchor="end">%s</text>`, left-6, y, figures.Short(float64(value)))
	}
	label := func(x float64, anchor, text string) {
		fmt.Fprintf(b, `<text class="axis" x="%.1f" y="%d" text-anchor="%s">%s</text>`, x, height-6, anchor, text)
	}
	label(left, "start", date(0))
	end := date(s.days + s.ahead - 1)
	if s.ahead > 0 && c.toTarget() == s.ahead {
		end = "target " + end
	}
	label(width-right, "end", end)
	const before, after = 150, 225 // room for the labels on both sides, on a phone
	if now := s.x(float64(s.days) - .5); s.ahead > 0 && now-left > before && width-right-now > after {
		label(now, "middle", "today")
	}
}

// describe describes the drawing in words.
func (c Chart) describe(byDate map[string]Point, date func(int) string) string {
	var first, last Point
	for i := range c.Days {
		if p, ok := byDate[date(i)]; ok {
			if first.Date == "" {
				first = p
			}
			last = p
		}
	}
	if first.Date == "" {
		return "Nothing was seen in these days."
	}
	if first.Date == last.Date {
		return fmt.Sprintf("On %s, %s.", first.Date, c.inWords(first))
	}
	return fmt.Sprintf("On %s, %s; on %s, %s.", first.Date, c.inWords(first), last.Date, c.inWords(last))
}

// niceCeiling returns the upper end of the scale: 1, 2, 4, 5, 6, 8 or 10 times a
// power of ten.
func niceCeiling(n uint64) uint64 {
	if n <= 2 {
		return 2
	}
	unit := uint64(math.Pow(10, math.Floor(math.Log10(float64(n)))))
	for _, f := range []uint64{1, 2, 4, 5, 6, 8, 10} {
		if n <= f*unit {
			return f * unit
		}
	}
	return n
}
