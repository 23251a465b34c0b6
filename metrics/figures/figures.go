// Package figures formats numbers for people, in pages, reports and forecasts.
package figures

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Short formats a number with at most four digits: 0, 0.4, 12, 31.2k, 2M.
func Short(v float64) string {
	for _, u := range []struct {
		above float64
		name  string
	}{{999_500_000, "G"}, {999_500, "M"}, {9_999.5, "k"}} {
		if v >= u.above {
			size := map[string]float64{"G": 1e9, "M": 1e6, "k": 1e3}[u.name]
			return trim(v/size) + u.name
		}
	}
	return trim(v)
}

func trim(v float64) string {
	if v >= 99.5 || v == math.Trunc(v) {
		return fmt.Sprintf("%.0f", v)
	}
	if v < 0.05 && v > 0 {
		return "<0.1"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// Count formats a whole number with thousands separators: 10,000.
func Count(n int) string {
	if n < 0 {
		return "-" + Count(-n)
	}
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Plural formats a number and what it counts, in the singular or the plural.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Length formats a duration in the largest unit that divides it: 14 days, 36 hours.
func Length(d time.Duration) string {
	for _, u := range units {
		if d > 0 && d%u.size == 0 {
			return Plural(int(d/u.size), u.name, u.name+"s")
		}
	}
	return d.String()
}

// Last formats how far back a duration goes: "the last 14 days", "the last day".
func Last(d time.Duration) string { return "the last " + strings.TrimPrefix(Length(d), "1 ") }

// Span formats a duration in the largest unit that fits into it, rounded down.
func Span(d time.Duration) string {
	return cmp.Or(largest(d, units[:]), "less than a minute")
}

// Ago formats how long ago something was, if need be in months or years.
func Ago(d time.Duration) string {
	if text := largest(d, append([]unit{{365 * day, "year"}, {30 * day, "month"}}, units[:]...)); text != "" {
		return text + " ago"
	}
	return "just now"
}

// largest formats a duration in the first unit that fits into it; "" = none does.
func largest(d time.Duration, units []unit) string {
	for _, u := range units {
		if n := int(d / u.size); n >= 1 {
			return Plural(n, u.name, u.name+"s")
		}
	}
	return ""
}

const day = 24 * time.Hour

type unit struct {
	size time.Duration
	name string
}

var units = [...]unit{{day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}}

// Percent formats the share of part in all. Only none is 0%, and only all is 100%.
func Percent(part, all int) string {
	if all == 0 {
		return "0%"
	}
	share := 100 * float64(part) / float64(all)
	switch {
	case part > 0 && share < 0.1:
		return "<0.1%"
	case part < all && share >= 99.95:
		return ">99.9%"
	case share < 0.95, part < all && share >= 99:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", share), ".0") + "%"
	}
	return fmt.Sprintf("%.0f%%", share)
}

// Date formats the day of a time in UTC; "" = never.
func Date(t time.Time) string { return utc(t, time.DateOnly) }

// Clock formats a time in UTC to the minute; "" = never.
func Clock(t time.Time) string { return utc(t, "2006-01-02 15:04 UTC") }

// Stamp formats a time in UTC for programs (RFC 3339); "" = never.
func Stamp(t time.Time) string { return utc(t, time.RFC3339) }

func utc(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

// Moment formats a time in UTC as the configuration writes it: the first instant
// of a day is just the date.
func Moment(t time.Time) string {
	if t.Equal(t.Truncate(day)) {
		return Date(t)
	}
	return Clock(t)
}
