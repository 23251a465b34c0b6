package configs

import (
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/suggest"
)

// form is how a scalar is written and what is taken from it.
type form struct {
	noun    string   // "a size", for messages
	example string   // such as 64KiB
	fix     string   // what to write instead; "" = the example
	tags    []string // what YAML may take it for
	input   bool     // it is the path of a file that is read
	parse   func(l *loader, text string) (any, *fault)
	schema  schemaObject // of JSON, for editors
}

// fault is what is wrong with a value, without its place.
type fault struct{ message, fix string }

func faultf(fix, format string, args ...any) *fault {
	return &fault{message: fmt.Sprintf(format, args...), fix: fix}
}

// fixOr is the fix, or what the form says.
func (f *fault) fixOr(of *form) string {
	if f.fix == "" {
		return of.advice()
	}
	return f.fix
}

// advice is what to write instead of something wrong.
func (f *form) advice() string {
	if f.fix != "" {
		return f.fix
	}
	return "write e.g. " + f.example
}

// anyTag lists what a word can be taken for: 1.2 is a number to YAML.
var anyTag = []string{strTag, intTag, numTag, boolTag, timeTag}

// textForm is written as text that a function parses and a pattern describes.
func textForm[T any](noun, example, pattern string, parse func(string) (T, *fault)) *form {
	return &form{
		noun: noun, example: example, tags: []string{strTag},
		parse:  func(_ *loader, text string) (any, *fault) { v, f := parse(text); return v, f },
		schema: schemaObject{"type": "string", "pattern": pattern},
	}
}

// formOf is the form of a Go type with the tags of its field; nil for sections.
func formOf(value reflect.Type, tag reflect.StructTag) *form {
	low, high, _ := strings.Cut(tag.Get("range"), "..")
	words, is := strings.Fields(tag.Get("oneof")), tag.Get("is")
	switch value {
	case reflect.TypeFor[int](), reflect.TypeFor[uint16]():
		return whole(low, high)
	case reflect.TypeFor[int64]():
		return size(words, low, high)
	case reflect.TypeFor[time.Duration]():
		return duration(low, high, tag.Get("default"))
	case reflect.TypeFor[TLSVersion]():
		return version(TLSVersion(low), TLSVersion(high))
	}
	switch {
	case len(words) > 0:
		return oneOf(words)
	case is == "path" || is == "file":
		return path(tag.Get("example"), is == "file")
	case is != "":
		return map[string]*form{
			"listen address": listenAddress, "admin address": adminAddress, "address": remoteAddress,
			"client": clientName, "parent proxy": parentProxy, "day": wholeDay, "moment": moment,
		}[is]
	}
	return map[reflect.Type]*form{
		reflect.TypeFor[bool](): boolean, reflect.TypeFor[[32]byte](): pin,
		reflect.TypeFor[host.Name](): hostname, reflect.TypeFor[host.Pattern](): hostPattern,
		reflect.TypeFor[netip.Prefix](): prefix, reflect.TypeFor[netip.AddrPort](): nameServer,
		reflect.TypeFor[ParentExcept](): parentExcept,
	}[value]
}

var boolean = &form{
	noun: "true or false", example: "true", tags: []string{boolTag},
	parse:  func(_ *loader, text string) (any, *fault) { return strings.EqualFold(text, "true"), nil },
	schema: schemaObject{"type": "boolean"},
}

// oneOf is one of a few words, in the order in which a message lists them.
func oneOf(words []string) *form {
	return &form{
		noun: "one of the words", example: words[0], tags: anyTag, fix: "write " + suggest.OneOf(words),
		parse: func(_ *loader, text string) (any, *fault) {
			for _, w := range words {
				if w == text {
					return text, nil
				}
			}
			return "", faultf("", "%s is none of the values", quoted(text))
		},
		schema: schemaObject{"enum": words},
	}
}

var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})$`)

// whole is a whole number.
func whole(low, high string) *form {
	from, to := number(low), number(high)
	f := &form{
		noun: "a whole number", example: low, fix: "write " + low + " to " + high, tags: []string{intTag},
		schema: schemaObject{"type": "integer", "minimum": from, "maximum": to},
	}
	f.parse = func(_ *loader, text string) (any, *fault) {
		if !wholeNumber.MatchString(text) {
			return 0, f.malformed(text)
		}
		n := number(text)
		return n, outside(n, from, to, func(n int64) string { return strconv.FormatInt(n, 10) })
	}
	return f
}

// number is text that has at most 18 digits.
func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// malformed says that text is not of the form.
func (f *form) malformed(text string) *fault {
	return faultf("", "%s is not %s", quoted(text), f.noun)
}

// outside says that a value is not from low to high, both included.
func outside(n, low, high int64, say func(int64) string) *fault {
	fix := "write " + say(low) + " to " + say(high)
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

// version is a TLS version. Nothing lowers that towards an upstream below 1.2.
func version(low, high TLSVersion) *form {
	var allowed []string
	values := []any{}
	for _, v := range []TLSVersion{TLS10, TLS11, TLS12, TLS13} {
		if v >= low && v <= high {
			allowed = append(allowed, quoted(string(v)))
			values = append(values, string(v), float64(v.Wire()-0x0301+10)/10) // 1.2 is a number to YAML
		}
	}
	return &form{
		noun: "a TLS version", example: quoted(string(low)), fix: "write " + suggest.OneOf(allowed), tags: anyTag,
		parse: func(_ *loader, text string) (any, *fault) {
			switch v := TLSVersion(text); {
			case v.Wire() == 0:
				return v, faultf("", "%s is not a TLS version that can be set here", quoted(text))
			case v < low:
				return v, faultf("", "%s is refused: tlslift speaks nothing below TLS %s to an upstream", quoted(text), low)
			case v > high:
				return v, faultf("", "%s is too high", quoted(text))
			default:
				return v, nil
			}
		},
		schema: schemaObject{"enum": values},
	}
}
