package configs

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var sizeForm = regexp.MustCompile(`^([0-9]{1,15}) ?(|B|KB|MB|GB|KiB|MiB|GiB)$`)

var sizeUnits = map[string]int64{
	"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}

// size is a number of bytes: 512, 64KiB, 10MB; or a word that stands for 0.
func size(words []string, low, high string) *form {
	from, _ := parseSize(low)
	to, _ := parseSize(high)
	f := &form{noun: "a size", example: "64KiB", tags: []string{strTag, intTag}}
	word, pattern := "", sizeForm.String()
	if len(words) > 0 {
		word = words[0]
		f.fix, pattern = "write "+word+" or e.g. "+f.example, pattern+"|^"+word+"$"
	}
	f.schema = schemaObject{"type": []string{"string", "integer"}, "pattern": pattern, "minimum": from, "maximum": to}
	f.parse = func(_ *loader, text string) (any, *fault) {
		n, ok := parseSize(text)
		switch {
		case word != "" && text == word:
			return int64(0), nil
		case !ok:
			return n, f.malformed(text)
		case n == math.MaxInt64:
			return n, faultf("write "+saySize(from)+" to "+saySize(to), "%s is too high", text)
		}
		return n, outside(n, from, to, saySize)
	}
	return f
}

// parseSize reads a size; one that is too large for an int64 is the largest.
func parseSize(text string) (int64, bool) {
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, unit := number(parts[1]), sizeUnits[parts[2]]
	if n > math.MaxInt64/unit {
		return math.MaxInt64, true
	}
	return n * unit, true
}

// saySize writes a size as the configuration does.
func saySize(n int64) string {
	for _, unit := range []string{"GiB", "MiB", "KiB"} {
		if bytes := sizeUnits[unit]; n >= bytes && n%bytes == 0 {
			return strconv.FormatInt(n/bytes, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}

const day = 24 * time.Hour

var dayForm = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// duration is a time as Go writes it, with d for days of 24 hours in front: 30s,
// 1h30m, 14d, 1d12h. A number alone gets the unit of the default in the message.
func duration(low, high, byDefault string) *form {
	from, _ := parseDuration(low)
	to, _ := parseDuration(high)
	unit := "s"
	if n := len(byDefault); n > 0 {
		unit = byDefault[n-1:]
	}
	f := &form{
		noun: "a duration", example: "30s", tags: []string{strTag, intTag},
		schema: schemaObject{"type": "string", "pattern": `^\+?([0-9]{1,5}d)?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*$`},
	}
	f.parse = func(_ *loader, text string) (any, *fault) {
		d, ok := parseDuration(text)
		if !ok {
			return d, f.undecided(text, unit)
		}
		return d, outside(int64(d), int64(from), int64(to), sayDuration)
	}
	return f
}

// parseDuration reads a duration; one that is too long is the longest.
func parseDuration(text string) (time.Duration, bool) {
	var days time.Duration
	if parts := dayForm.FindStringSubmatch(text); parts != nil {
		days = time.Duration(number(parts[1])) * day
		if text = parts[2]; text == "" {
			return days, true
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 && days > 0 {
		return 0, false
	}
	// Neither part alone overflows; their sum can.
	return days + min(d, math.MaxInt64-days), true
}

// wordyForm is a duration as people write it: 14 days, 30 sec.
var wordyForm = regexp.MustCompile(`^([0-9]+) *([dhms])(?:ays?|ours?|rs?|in|inutes?|ec|econds?)?$`)

// weeksForm is a duration in weeks, which tlslift report takes.
var weeksForm = regexp.MustCompile(`^([0-9]{1,5}) *w(?:eeks?)?$`)

// undecided says what is wrong with a duration: mostly its missing unit.
func (f *form) undecided(text, unit string) *fault {
	if wholeNumber.MatchString(text) {
		return faultf("write e.g. "+text+unit, "%s has no unit", text)
	}
	if parts := weeksForm.FindStringSubmatch(strings.ToLower(text)); parts != nil {
		return faultf("write "+strconv.FormatInt(7*number(parts[1]), 10)+"d", "%s is not %s", quoted(text), f.noun)
	}
	if parts := wordyForm.FindStringSubmatch(strings.ToLower(text)); parts != nil {
		return faultf("write "+parts[1]+parts[2], "%s is not %s", quoted(text), f.noun)
	}
	return f.malformed(text)
}

// sayDuration writes a duration, in nanoseconds, as the configuration does.
func sayDuration(n int64) string {
	d := time.Duration(n)
	if d >= day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// moment is a date, which is its first instant in UTC, or an RFC 3339 time.
var moment = dateForm("a date or time", "2027-03-01 or 2027-03-01T08:00:00+02:00", func(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, zoneless(text)
})

// zoneless is the error about a text that is no time: a noZone, if it lacks its
// time zone alone.
func zoneless(text string) error {
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return noZone(t.Format("2006-01-02T15:04:05"))
		}
	}
	return errors.New("no time")
}

// noZone is a time without a time zone.
type noZone string

func (t noZone) Error() string { return string(t) + " has no time zone" }

// wholeDay is a date, which is the end of that day in UTC: the first instant of
// the next. Programs that read and write YAML add a midnight to dates.
var wholeDay = dateForm("a date", "2027-03-01", func(text string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, strings.TrimSuffix(text, "T00:00:00Z"))
	return t.AddDate(0, 0, 1), err
})

// dateForm refuses years that are typing errors.
func dateForm(noun, example string, parse func(string) (time.Time, error)) *form {
	f := textForm(noun, "2027-03-01", `^[0-9]{4}-[0-9]{2}-[0-9]{2}`, func(text string) (time.Time, *fault) {
		t, err := parse(text)
		var at noZone
		switch {
		case errors.As(err, &at):
			return t, faultf("write e.g. "+string(at)+"+02:00, or "+string(at)+"Z for UTC", "%s has no time zone", quoted(text))
		case err != nil:
			return t, faultf("write e.g. "+example, "%s is not %s", quoted(text), noun)
		case t.Year() < 2000 || t.Year() > 2199:
			return t, faultf("write a year from 2000 to 2199", "%s is not a likely date", quoted(text))
		default:
			return t, nil
		}
	})
	f.tags = []string{strTag, timeTag}
	return f
}
