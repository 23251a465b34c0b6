// Package chart draws the daily history as SVG: one stacked bar a day, what is
// insecure below, what is secure above. Colours come from the style sheet of
// the page around it, by class, so that one drawing serves light and dark.
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
	Date     string // 2006-01-02, UTC
	Insecure uint64
	Secure   uint64
}

// Chart is what to draw.
type Chart struct {
	ID     string // unique in the page; letters, digits and dashes
	Title  string // for those who cannot see it
	Unit   string // "clients", "requests"
	Points []Point
	Last   time.Time // the last day drawn
	Days   int       // how many days up to it
}

// The drawing's measures, in SVG user units.
const (
	width, height            = 720, 224
	left, right, top, bottom = 64, 8, 14, 26
	thinnest                 = 2   // of a bar's part: one client among thousands is seen
	between                  = 1.5 // insecure and secure
	titledDays               = 130 // beyond this a bar is too thin to point at
)

// SVG is the drawing. Days without a point stay empty.
func (c Chart) SVG() template.HTML {
	byDate := make(map[string]Point, len(c.Points))
	for _, p := range c.Points {
		byDate[p.Date] = p
	}
	first := c.Last.UTC().AddDate(0, 0, 1-c.Days)
	date := func(i int) string { return first.AddDate(0, 0, i).Format(time.DateOnly) }
	highest := uint64(1)
	for i := range c.Days {
		p := byDate[date(i)]
		highest = max(highest, p.Insecure+p.Secure)
	}
	ceiling := niceCeiling(highest)

	var b strings.Builder
	id := html.EscapeString(c.ID)
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-title %s-desc">`, width, height, id, id)
	fmt.Fprintf(&b, `<title id="%s-title">%s</title><desc id="%s-desc">%s</desc>`, id, html.EscapeString(c.Title), id, html.EscapeString(c.describe(byDate, date)))
	c.axes(&b, ceiling, date)
	step := float64(width-left-right) / float64(max(c.Days, 1))
	for i := range c.Days {
		p, ok := byDate[date(i)]
		if ok && p.Insecure+p.Secure > 0 {
			c.bar(&b, p, left+float64(i)*step, step, ceiling)
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // numbers, and texts escaped above
}

func (c Chart) bar(b *strings.Builder, p Point, x, step float64, ceiling uint64) {
	scale := float64(height-top-bottom) / float64(ceiling)
	base := float64(height - bottom)
	gap := min(1, step/5)
	lower := base // the insecure part's upper end
	if p.Insecure > 0 {
		lower = base - max(thinnest, float64(p.Insecure)*scale)
	}
	start := lower // the secure part's lower end
	if p.Insecure > 0 {
		start -= between
	}
	upper := min(base-float64(p.Insecure+p.Secure)*scale, start-thinnest)
	fmt.Fprint(b, `<g>`)
	if c.Days <= titledDays {
		fmt.Fprintf(b, `<title>%s: %d insecure, %d secure %s</title>`, html.EscapeString(p.Date), p.Insecure, p.Secure, html.EscapeString(c.Unit))
	}
	if p.Insecure > 0 {
		fmt.Fprintf(b, `<rect class="bar-insecure" x="%.2f" y="%.2f" width="%.2f" height="%.2f"/>`, x, lower, step-gap, base-lower)
	}
	if p.Secure > 0 {
		fmt.Fprintf(b, `<rect class="bar-secure" x="%.2f" y="%.2f" width="%.2f" height="%.2f"/>`, x, upper, step-gap, start-upper)
	}
	fmt.Fprint(b, `</g>`)
}

// axes draws two lines of the scale, the base line and three dates.
func (c Chart) axes(b *strings.Builder, ceiling uint64, date func(int) string) {
	plot := float64(height - top - bottom)
	for i := range 3 {
		value := ceiling * uint64(i) / 2
		y := float64(height-bottom) - plot*float64(i)/2
		if i == 1 && ceiling%2 == 1 {
			continue
		}
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, left, width-right, y, y)
		fmt.Fprintf(b, `<text class="axis" x="%d" y="%.1f" dy=".35em" text-anchor="end">%s</text>`, left-6, y, figures.Short(float64(value)))
	}
	for _, label := range []struct {
		day    int
		x      int
		anchor string
	}{
		{0, left, "start"},
		{c.Days / 2, left + (width-left-right)/2, "middle"},
		{c.Days - 1, width - right, "end"},
	} {
		fmt.Fprintf(b, `<text class="axis" x="%d" y="%d" text-anchor="%s">%s</text>`, label.x, height-6, label.anchor, date(label.day))
	}
}

// describe says in words what the drawing shows.
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
		return fmt.Sprintf("On %s, %d insecure and %d secure %s.", first.Date, first.Insecure, first.Secure, c.Unit)
	}
	return fmt.Sprintf("On %s, %d insecure and %d secure %s; on %s, %d insecure and %d secure.",
		first.Date, first.Insecure, first.Secure, c.Unit, last.Date, last.Insecure, last.Secure)
}

// niceCeiling is the scale's upper end: 1, 2, 4, 5 or 10 times a power of ten.
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
