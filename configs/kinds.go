package configs

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// kind is how a scalar is written and what is taken from it.
type kind[T any] struct {
	noun    string   // "a size", for messages
	example string   // such as 64KiB
	tags    []string // what YAML may take it for
	fix     string   // what to write instead; "" = the example
	parse   func(text string) (T, *fault)
}

// advice is what to write instead of something wrong.
func (k kind[T]) advice() string {
	if k.fix != "" {
		return k.fix
	}
	return "write e.g. " + k.example
}

// complete adds the kind's advice to a fault that has no fix.
func (k kind[T]) complete(f *fault) *fault {
	if f.fix == "" {
		return &fault{f.message, k.advice()}
	}
	return f
}

// mistyped says that YAML took the value for something else.
func (k kind[T]) mistyped(n *yaml.Node) *fault {
	if len(k.tags) == 1 && k.tags[0] == strTag {
		return faultf("put it in quotes if that is meant", "%s is %s, not %s", quoted(n.Value), shapeOf(n), k.noun)
	}
	return k.malformed(n.Value)
}

// malformed says that text is not of the kind.
func (k kind[T]) malformed(text string) *fault {
	return faultf(k.advice(), "%s is not %s", quoted(text), k.noun)
}

// boolean is true or false.
var boolean = kind[bool]{
	noun: "true or false", example: "true", tags: []string{boolTag},
	parse: func(text string) (bool, *fault) {
		return strings.EqualFold(text, "true"), nil
	},
}

// oneOf is one of a few words. The values are given in the order in which a
// message lists them.
func oneOf[T ~string](values ...T) kind[T] {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return kind[T]{
		noun: "one of the words", example: words[0], tags: anyTag(),
		fix: "write " + alternatives(words),
		parse: func(text string) (T, *fault) {
			for _, v := range values {
				if string(v) == text {
					return v, nil
				}
			}
			return "", faultf("", "%s is none of the values", quoted(text))
		},
	}
}

// alternatives joins words as a sentence does.
func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)

// whole is a whole number from low to high.
func whole[T ~int | ~uint16](low, high T) kind[T] {
	say := func(n int64) string { return strconv.FormatInt(n, 10) }
	k := kind[T]{noun: "a whole number", example: say(int64(low)), tags: []string{intTag}}
	k.fix = "write " + say(int64(low)) + " to " + say(int64(high))
	k.parse = func(text string) (T, *fault) {
		if !wholeNumber.MatchString(text) {
			return 0, k.malformed(text)
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, k.malformed(text)
		}
		return T(n), outside(n, int64(low), int64(high), say)
	}
	return k
}

// outside says that a value is not from low to high, both included.
func outside(n, low, high int64, say func(int64) string) *fault {
	fix := fmt.Sprintf("write %s to %s", say(low), say(high))
	switch {
	case n < 0:
		return faultf(fix, "%s is negative", say(n))
	case n < low:
		return faultf(fix, "%s is too low", say(n))
	case n > high:
		return faultf(fix, "%s is too high", say(n))
	default:
		return nil
	}
}

var sizeForm = regexp.MustCompile(`^([0-9]{1,15}) ?(|B|KB|MB|GB|KiB|MiB|GiB)$`)

// size is a number of bytes from low to high: 512, 64KiB, 10MB.
func size(low, high int64) kind[int64] {
	k := kind[int64]{noun: "a size", example: "64KiB", tags: []string{strTag, intTag}}
	k.parse = func(text string) (int64, *fault) {
		parts := sizeForm.FindStringSubmatch(text)
		if parts == nil {
			return 0, k.malformed(text)
		}
		n, err := strconv.ParseInt(parts[1], 10, 64)
		if err != nil {
			return 0, k.malformed(text)
		}
		unit := map[string]int64{
			"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": kib, "MiB": mib, "GiB": gib,
		}[parts[2]]
		if n > math.MaxInt64/unit {
			return 0, faultf("write "+saySize(low)+" to "+saySize(high), "%s is too high", text)
		}
		return n * unit, outside(n*unit, low, high, saySize)
	}
	return k
}

// sizeOr is a size, or a word that stands for 0.
func sizeOr(word string, low, high int64) kind[int64] {
	k := size(low, high)
	k.fix = "write " + word + " or e.g. " + k.example
	sized := k.parse
	k.parse = func(text string) (int64, *fault) {
		if text == word {
			return 0, nil
		}
		return sized(text)
	}
	return k
}

// saySize writes a size as the configuration does.
func saySize(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{gib, "GiB"}, {mib, "MiB"}, {kib, "KiB"}} {
		if n >= unit.bytes && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

var dayForm = regexp.MustCompile(`^([0-9]{1,5})d(.*)$`)

// span is a duration from low to high, as Go writes it, with d for days of 24
// hours in front: 30s, 1h30m, 14d, 1d12h.
func span(low, high time.Duration) kind[time.Duration] {
	k := kind[time.Duration]{noun: "a duration", example: "30s", tags: []string{strTag, intTag}}
	k.parse = func(text string) (time.Duration, *fault) {
		var days time.Duration
		rest := text
		if parts := dayForm.FindStringSubmatch(text); parts != nil {
			n, err := strconv.Atoi(parts[1])
			if err != nil {
				return 0, k.malformed(text)
			}
			days, rest = time.Duration(n)*day, parts[2]
		}
		d := time.Duration(0)
		if rest != "" || days == 0 {
			var err error
			if d, err = time.ParseDuration(rest); err != nil || d < 0 && days > 0 {
				return 0, k.undecided(text)
			}
		}
		// Neither part alone overflows; their sum can.
		if d > math.MaxInt64-days {
			d = math.MaxInt64 - days
		}
		return days + d, outside(int64(days+d), int64(low), int64(high), saySpan)
	}
	return k
}

// undecided says what is wrong with a duration: mostly its missing unit.
func (k kind[T]) undecided(text string) *fault {
	if wholeNumber.MatchString(text) {
		return faultf("write e.g. "+text+"s", "%s has no unit", text)
	}
	if parts := wordyForm.FindStringSubmatch(strings.ToLower(text)); parts != nil {
		return faultf("write "+parts[1]+parts[2], "%s is not %s", quoted(text), k.noun)
	}
	return k.malformed(text)
}

// wordyForm is a duration as people write it: 14 days, 30 sec.
var wordyForm = regexp.MustCompile(`^([0-9]+) *([dhms])(?:ays?|ours?|rs?|in|inutes?|ec|econds?)?$`)

// saySpan writes a duration, in nanoseconds, as the configuration does.
func saySpan(n int64) string {
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
var moment = kind[time.Time]{
	noun: "a date or time", example: "2027-03-01", tags: []string{strTag, timeTag},
	parse: func(text string) (time.Time, *fault) {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t, err = time.Parse(time.RFC3339, text)
		}
		if err != nil {
			return time.Time{}, faultf("write e.g. 2027-03-01 or 2027-03-01T08:00:00+02:00", "%s is not a date or time", quoted(text))
		}
		return t, unlikely(t, text)
	},
}

// wholeDay is a date, which is the end of that day in UTC: the first instant of
// the next. Programs that read and write YAML add a midnight to dates.
var wholeDay = kind[time.Time]{
	noun: "a date", example: "2027-03-01", tags: []string{strTag, timeTag},
	parse: func(text string) (time.Time, *fault) {
		t, err := time.Parse(time.DateOnly, strings.TrimSuffix(text, "T00:00:00Z"))
		if err != nil {
			return time.Time{}, faultf("write e.g. 2027-03-01", "%s is not a date", quoted(text))
		}
		return t.AddDate(0, 0, 1), unlikely(t, text)
	},
}

// unlikely is what is wrong with a date that somebody must have mistyped.
func unlikely(t time.Time, text string) *fault {
	if t.Year() < 2000 || t.Year() > 2199 {
		return faultf("write a year from 2000 to 2199", "%s is not a likely date", quoted(text))
	}
	return nil
}
