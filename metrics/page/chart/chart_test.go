package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var two = []string{"insecure", "secure"}

var last = time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)

func TestSVG(t *testing.T) {
	t.Parallel()
	c := Chart{
		ID: "x", Title: `a "title" <b>`, Unit: "clients", Parts: two, Last: last, Days: 10,
		Points: []Point{{"2026-02-20", []uint64{4, 0}}, {"2026-02-28", []uint64{1, 3}}, {"2026-01-01", []uint64{9999, 9999}}},
	}
	svg := string(c.SVG())
	for _, want := range []string{
		"2026-02-20: 4 insecure, 0 secure clients", "On 2026-02-20, 4 insecure, 0 secure clients", "on 2026-02-28, 1 insecure, 3 secure",
		"a &#34;title&#34; &lt;b&gt;", ">2026-03-01<", `height="138.00"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("the drawing lacks %q:\n%s", want, svg)
		}
	}
	if strings.Contains(svg, "9999") {
		t.Error("a day outside of the range is drawn")
	}
	if n := strings.Count(svg, "<rect"); n != 3 {
		t.Errorf("%d bars, want 3", n)
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	t.Parallel()
	for _, c := range []Chart{
		{ID: "a", Last: last},
		{ID: "a", Parts: two, Last: last, Days: 1, Points: []Point{{"2026-03-01", []uint64{1, 1}}}},
		{ID: "a", Parts: two, Last: last, Days: 400, Points: []Point{{"2026-03-01", []uint64{1 << 40, 7}}}},
		{ID: "a", Parts: two, Last: last, Days: 90, Ahead: &Ahead{From: 7, Target: last, PerDay: math.NaN()}},
		{ID: "a", Parts: two, Last: last, Days: 90, Ahead: &Ahead{From: 7, Target: last.AddDate(-1, 0, 0), PerDay: 3}},
		{ID: "a", Parts: two, Last: last, Days: 90, Ahead: &Ahead{From: 7, Target: last.AddDate(9, 0, 0), PerDay: -3}},
	} {
		d := xml.NewDecoder(strings.NewReader(string(c.SVG())))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%d days: %v", c.Days, err)
			}
		}
		if svg := string(c.SVG()); strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("%d days: %s", c.Days, svg)
		}
	}
}

func TestNiceCeiling(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]uint64{0: 2, 1: 2, 3: 4, 7: 8, 11: 20, 45: 50, 99: 100, 101: 200} {
		if got := niceCeiling(n); got != want {
			t.Errorf("%d: %d, want %d", n, got, want)
		}
	}
}

// A client among ten thousand is one day's news: its part is as thin as can be
// seen, not thinner, and a gap parts it from the rest.
func TestNoPartOfABarIsTooThinToSee(t *testing.T) {
	t.Parallel()
	for _, p := range []Point{{"2026-03-01", []uint64{1, 9999}}, {"2026-03-01", []uint64{9999, 1}}, {"2026-03-01", []uint64{1, 1}}} {
		svg := string(Chart{ID: "x", Parts: two, Last: last, Days: 90, Points: []Point{p}}.SVG())
		var y, heights [2]float64
		rects := regexp.MustCompile(`<rect class="bar-(?:in)?secure" x="[^"]*" y="([^"]*)" width="[^"]*" height="([^"]*)"`).FindAllStringSubmatch(svg, -1)
		if len(rects) != 2 {
			t.Fatalf("%+v: %d parts", p, len(rects))
		}
		for i, r := range rects { // insecure, secure
			y[i], _ = strconv.ParseFloat(r[1], 64)
			heights[i], _ = strconv.ParseFloat(r[2], 64)
		}
		if heights[0] < 1.5 || heights[1] < 1.5 || y[1] < 0 {
			t.Errorf("%+v: heights %v, upper ends %v", p, heights, y)
		}
		if gap := y[0] - (y[1] + heights[1]); gap < 1 {
			t.Errorf("%+v: a gap of %g", p, gap)
		}
	}
}

func TestTheDescriptionOfOneDayIsSaidOnce(t *testing.T) {
	t.Parallel()
	svg := string(Chart{ID: "x", Unit: "clients", Parts: two, Last: last, Days: 90, Points: []Point{{"2026-03-01", []uint64{4, 1}}}}.SVG())
	if !strings.Contains(svg, "On 2026-03-01, 4 insecure, 1 secure clients.</desc>") {
		t.Errorf("got %s", svg)
	}
}

// The scale's labels grow to 19 units on a phone (page.css): the top one's cap
// height above its middle, and the widest of four digits, have to fit.
func TestTheScaleFitsInTheDrawingOnAPhone(t *testing.T) {
	t.Parallel()
	const phone = 19.0
	svg := string(Chart{ID: "x", Parts: two, Last: last, Days: 90, Points: []Point{{"2026-03-01", []uint64{5000, 0}}}}.SVG())
	labels := regexp.MustCompile(`x="(\d+)" y="([\d.]+)" dy=".35em" text-anchor="end">([^<]*)<`).FindAllStringSubmatch(svg, -1)
	if len(labels) != 3 {
		t.Fatalf("%d labels", len(labels))
	}
	for _, l := range labels {
		x, _ := strconv.ParseFloat(l[1], 64)
		y, _ := strconv.ParseFloat(l[2], 64)
		if y+(.35-.75)*phone < 0 || x < .6*phone*float64(len(l[3])) {
			t.Errorf("%q is cut off at %g, %g", l[3], x, y)
		}
	}
}
