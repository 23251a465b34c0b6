package configs

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"tlslift/proxy/suggest"
)

// form describes how a scalar is written, and what is read from it.
type form struct {
	noun    string                         // "a size", for messages
	example string                         // such as 64KiB
	fix     string                         // what to write instead; "" = the example
	tag     string                         // the YAML tag it must have; "" = any
	parse   func(text string) (any, error) // a Problem says what is wrong; any other error means that text is not the noun
	path    bool                           // unless absolute, it is relative to the configuration file's folder
	input   bool                           // it is the path of a file to read
	schema  schemaObject                   // its JSON schema, for editors
}

// refuse returns an error that says what is wrong with text.
func refuse(text, message, fix string) error {
	return Problem{Message: quoted(text) + " " + message, Fix: fix}
}

// flaw is something that may be wrong, and what to do about it.
type flaw struct {
	there        bool
	message, fix string
}

// firstFlaw returns an error for the first flaw that is there. It does not show
// text if that is "".
func firstFlaw(text string, flaws ...flaw) error {
	for _, f := range flaws {
		switch {
		case f.there && text == "":
			return Problem{Message: f.message, Fix: f.fix}
		case f.there:
			return refuse(text, f.message, f.fix)
		}
	}
	return nil
}

// errForm is the error of parse for text in another form.
var errForm = errors.New("text of another form")

// advice returns what to write instead of a wrong value.
func (f *form) advice() string { return cmp.Or(f.fix, "write e.g. "+f.example) }

// textForm returns the form of text that a function parses and a pattern describes.
func textForm[T any](noun, example, pattern string, parse func(string) (T, error)) *form {
	return &form{
		noun: noun, example: example, tag: strTag,
		parse:  func(text string) (any, error) { return parse(text) },
		schema: schemaObject{"type": "string", "pattern": pattern},
	}
}

// formOf returns the form of a Go type with the tags of its field, or nil
// for a section.
func formOf(value reflect.Type, tag reflect.StructTag) *form {
	low, high, _ := strings.Cut(tag.Get("range"), "..")
	words, is := strings.Fields(tag.Get("oneof")), tag.Get("is")
	switch what := cmp.Or(is, value.String()); {
	case what == "int" || what == "uint16":
		return whole(low, high)
	case what == "int64":
		return size(tag.Get("oneof"), low, high)
	case what == "time.Duration":
		return duration(low, high, tag.Get("default"))
	case len(words) > 0:
		return oneOf(value, words, tag.Get("why"))
	case what == "path" || what == "file":
		return pathForm(tag.Get("example"), what == "file")
	default:
		return map[string]*form{
			"listen address": listenAddress, "admin address": adminAddress, "address": remoteAddress,
			"client": clientName, "parent proxy": parentProxy, "day": wholeDay, "moment": moment,
			"bool": boolean, "[32]uint8": pin, "host.Name": hostname, "host.Pattern": hostPattern,
			"netip.Prefix": prefix, "netip.AddrPort": nameServer, "host.Set": hosts,
		}[what]
	}
}

var boolean = &form{
	noun: "true or false", example: "true", tag: boolTag,
	parse: func(text string) (any, error) {
		yes := strings.EqualFold(text, "true")
		if !yes && !strings.EqualFold(text, "false") {
			return nil, errForm
		}
		return yes, nil
	},
	schema: schemaObject{"type": "boolean"},
}

// oneOf is the form of one of a few words, in the order in which a message lists
// them. why says why no other word is accepted. YAML takes some words for numbers.
func oneOf(value reflect.Type, words []string, why string) *form {
	fix, values := "write "+suggest.OneOf(words), []any{}
	for _, w := range words {
		values = append(values, w)
		if n, err := strconv.ParseFloat(w, 64); err == nil {
			values = append(values, n)
		}
	}
	return &form{
		noun: "one of the words", example: words[0], fix: fix,
		parse: func(text string) (any, error) {
			i := slices.Index(words, text)
			switch {
			case i < 0:
				return nil, refuse(text, "is not one of the values", fix+why)
			case value.Kind() == reflect.Bool:
				return i == 1, nil
			}
			return printedAs(text, value), nil
		},
		schema: schemaObject{"enum": values},
	}
}

// printedAs returns the value of an enum that prints as word.
func printedAs(word string, value reflect.Type) any {
	for n := range 1 << 8 { // all values of a byte, signed or not
		if v := reflect.ValueOf(n).Convert(value).Interface(); fmt.Sprint(v) == word {
			return v
		}
	}
	panic("no " + value.String() + " is called " + word)
}
