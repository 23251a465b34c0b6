package chart

import (
	"fmt"
	"math"
	"strings"
)

// Short writes a figure with three digits at most: 0, 0.4, 12, 3.1k, 2M.
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

// Plural writes a number and what there is of it, in the singular or the plural.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
