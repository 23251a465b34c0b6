//go:build linux

package main

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// series is one figure of each contestant, round by round.
type series [][]float64

func newSeries(all []*contestant) series { return make(series, len(all)) }

func (s series) add(i int, value float64) { s[i] = append(s[i], value) }
func (s series) median(i int) float64     { return median(s[i]) }

// paired is the median, over the rounds, of i's figure divided by that of j in
// the same round.
func (s series) paired(i, j int) float64 {
	var ratios []float64
	for round, value := range s[i] {
		if round < len(s[j]) {
			ratios = append(ratios, value/s[j][round])
		}
	}
	return median(ratios)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentile is of the time that requests took, in microseconds.
func percentile(all []served, p int) float64 {
	times := make([]time.Duration, len(all))
	for i, one := range all {
		times[i] = one.took
	}
	slices.Sort(times)
	return float64(times[min(len(times)-1, len(times)*p/100)]) / float64(time.Microsecond)
}

// window is so short that most windows see no stall of the machine itself.
const window = 100 * time.Millisecond

// typical is the median of the windows' percentiles. A machine that stops for a
// millisecond a few times a second decides the percentile of a whole turn,
// whatever is measured; it does not decide this one.
func typical(all []served, p int) float64 {
	windows := make(map[time.Duration][]served)
	for _, one := range all {
		windows[one.due/window] = append(windows[one.due/window], one)
	}
	var each []float64
	for _, w := range windows {
		each = append(each, percentile(w, p))
	}
	return median(each)
}

func micros(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.2f ms", v/1000)
	}
	return fmt.Sprintf("%.1f µs", v)
}

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }
func count(v float64) string { return fmt.Sprintf("%.0f", v) }
func kib(v float64) string   { return fmt.Sprintf("%.1f KiB", v/1024) }
func mib(v float64) string   { return fmt.Sprintf("%.1f MiB", v/(1<<20)) }

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}
