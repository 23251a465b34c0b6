package configs

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// bounded limits the form to numbers from low to high, inclusive.
func (f *form) bounded(low, high string, read func(string) (int64, error)) *form {
	from, _ := read(low)
	to, _ := read(high)
	if f.schema["type"] != "string" {
		f.schema["minimum"], f.schema["maximum"] = from, to
	}
	f.parse = func(text string) (any, error) {
		n, err := read(text)
		if err != nil {
			return n, err
		}
		fix := "write " + low + " to " + high
		return n, firstFlaw("",
			flaw{n < 0, shortened(text) + " is negative", fix},
			flaw{n < from, shortened(text) + " is too low", fix},
			flaw{n > to, shortened(text) + " is too high", fix})
	}
	return f
}

// whole is the form of a whole number.
func whole(low, high string) *form {
	f := form{
		noun: "a whole number", example: low, fix: "write " + low + " to " + high, tag: intTag,
		schema: schemaObject{"type": "integer"},
	}
	return f.bounded(low, high, func(text string) (int64, error) {
		n := number(text)
		if strconv.FormatInt(n, 10) != text {
			return n, errForm
		}
		return n, nil
	})
}

// number parses a decimal number; it returns 0 for any other text.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,15}) ?(|B|KB|MB|GB|KiB|MiB|GiB)$`)

var sizeUnits = map[string]int64{
	"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// size is the form of a number of bytes (512, 64KiB, 10MB), or a word that means
// 0; "" = no such word.
func size(word, low, high string) *form {
	f := form{
		noun: "a size", example: "64KiB",
		schema: schemaObject{"type": []string{"string", "integer"}, "pattern": sizeForm.String()},
	}
	read := f.bounded(low, high, parseSize).parse
	if word != "" {
		f.fix, f.schema["pattern"] = "write "+word+" or e.g. "+f.example, sizeForm.String()+"|^"+word+"$"
		f.parse = func(text string) (any, error) {
			if text == word {
				return int64(0), nil
			}
			return read(text)
		}
	}
	return &f
}

// parseSize parses a size. One that is too large for an int64 becomes
// about the largest.
func parseSize(text string) (int64, error) {
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, errForm
	}
	n, unit := number(parts[1]), sizeUnits[parts[2]]
	return min(n, math.MaxInt64/unit) * unit, nil
}

// duration is the form of a Go duration, optionally with days of 24 hours in
// front: 30s, 1h30m, 14d, 1d12h. For a number without a unit, the message
// suggests the unit of the default.
func duration(low, high, byDefault string) *form {
	unit := strings.TrimLeft(cmp.Or(byDefault, "s"), "0123456789")
	f := form{
		noun: "a duration", example: "30s",
		schema: schemaObject{"type": "string", "pattern": `^\+?([0-9]{1,5}d)?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`},
	}
	return f.bounded(low, high, func(text string) (int64, error) {
		d, err := parseDuration(text)
		parts := wordyForm.FindStringSubmatch(strings.ToLower(text))
		switch {
		case err == nil || parts == nil:
		case parts[2] == "":
			err = Problem{Message: text + " has no unit", Fix: "write e.g. " + text + unit}
		case parts[2] == "w":
			err = refuse(text, "is not a duration", "write "+strconv.FormatInt(7*number(parts[1]), 10)+"d")
		default:
			err = refuse(text, "is not a duration", "write "+parts[1]+parts[2])
		}
		return int64(d), err
	})
}

// wordyForm matches a duration as people write it: 14 days, 30 sec, 2w, 90.
var wordyForm = regexp.MustCompile(`^([0-9]{1,15}) *(?:([dhmsw])(?:ays?|ours?|rs?|in|inutes?|ec|econds?|eeks?)?)?$`)

var dayForm = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// parseDuration parses a duration. One that is too long becomes the longest.
func parseDuration(text string) (time.Duration, error) {
	parts := dayForm.FindStringSubmatch(text)
	if parts == nil {
		return time.ParseDuration(text)
	}
	days := time.Duration(number(parts[1])) * 24 * time.Hour
	rest, err := time.ParseDuration(cmp.Or(parts[2], "0s"))
	if rest < 0 {
		return 0, errForm
	}
	// Neither part alone overflows, but their sum may.
	return days + min(rest, math.MaxInt64-days), err
}

// moment is the form of a date, which means its first instant in UTC, or
// an RFC 3339 time.
var moment = dateForm("a date or time", "2027-03-01 or 2027-03-01T08:00:00+02:00", func(text string) (time.Time, error) {
	for _, seconds := range []string{"", ":00"} {
		local := strings.Replace(text, " ", "T", 1) + seconds
		if _, err := time.Parse(time.RFC3339, local+"Z"); err == nil {
			return time.Time{}, refuse(text, "has no time zone", "write e.g. "+local+"+02:00, or "+local+"Z for UTC")
		}
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
})

// wholeDay is the form of a date that means the end of that day in UTC: the first
// instant of the next. Programs that read and write YAML add a midnight to dates.
var wholeDay = dateForm("a date", "2027-03-01", func(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, strings.TrimSuffix(text, "T00:00:00Z"))
	return t.AddDate(0, 0, 1), err
})

// dateForm rejects years that are probably typos.
func dateForm(noun, examples string, read func(string) (time.Time, error)) *form {
	f := textForm(noun, "2027-03-01", `^[0-9]{4}-[0-9]{2}-[0-9]{2}`, func(text string) (time.Time, error) {
		t, err := read(text)
		if err == nil && (t.Year() < 2000 || t.Year() > 2199) {
			err = refuse(text, "is not a likely date", "write a year from 2000 to 2199")
		}
		return t, err
	})
	f.fix, f.tag = "write e.g. "+examples, ""
	return f
}
