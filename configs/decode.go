package configs

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// The tags of YAML's core schema that values can have, in short form.
const (
	nullTag = "!!null"
	boolTag = "!!bool"
	strTag  = "!!str"
	intTag  = "!!int"
	numTag  = "!!float"
	timeTag = "!!timestamp"
)

// maxEntries is the maximum length of a list.
const maxEntries = 10_000

// read reads the value of the key k at a path.
func (l *loader) read(at string, n *yaml.Node, k *key, into reflect.Value) {
	switch k.kind {
	case reflect.Slice:
		l.list(at, n, k, into)
	case reflect.Map:
		l.named(at, n, k, into)
	default:
		l.one(at, n, k, into)
	}
}

// one reads one value or section, either that of the key k or of one of its entries.
func (l *loader) one(at string, n *yaml.Node, k *key, into reflect.Value) {
	if k.form != nil {
		l.scalar(at, n, k.form, into)
	} else {
		l.section(at, n, k, into)
	}
}

// insteadOf says what to write for a section that was given as a value.
func (k *key) insteadOf(at string) string {
	if at == "upstream" {
		return "for hosts, the key is upstreams"
	}
	name := at[strings.LastIndexByte(at, '.')+1:] + ": "
	if k.kind == reflect.Slice {
		name = "" // it is an entry
	}
	for _, k := range k.keys {
		if k.form != nil {
			return "write e.g. " + name + "{" + k.name + ": " + k.example() + "}"
		}
	}
	return "write its keys below it, indented"
}

// section reads the keys of a section, and reports those that it needs but does
// not have. If it needs one key, that key's value may stand alone.
func (l *loader) section(at string, n *yaml.Node, k *key, into reflect.Value) {
	k.setDefaults(into)
	switch {
	case isNull(n) && !k.mayBeEmpty():
		l.reject(at, "is empty", "write its keys, or remove it")
		return
	case n.Kind == yaml.ScalarNode && k.alone != nil:
		below := keyOf(at, k.alone.name)
		l.placed(below, n)
		l.read(below, n, k.alone, k.alone.in(into))
		return
	}
	for _, pair := range l.pairs(at, n, k) {
		name, below := pair.name.Value, keyOf(at, pair.name.Value)
		if known := k.key(name); known != nil {
			l.placed(below, pair.name)
			l.read(below, pair.value, known, known.in(into))
		} else if len(l.problems) < maxProblems {
			l.reportLine(pair.name.Line, below, "unknown key", k.misspelt(at, name))
		}
	}
	if l.origins[at].refused {
		return
	}
	for _, name := range k.needs {
		if _, ok := l.origins[keyOf(at, name)]; !ok {
			l.reject(at, "has no "+name, "write e.g. "+name+": "+k.key(name).example())
		}
	}
}

// list reads a list, which replaces the default list.
func (l *loader) list(at string, n *yaml.Node, k *key, into reflect.Value) {
	elements, advice := n.Content, "write entries, each beginning with a dash"
	if k.form != nil {
		advice = "write e.g. " + k.example()
	}
	single := n.Kind == yaml.ScalarNode && k.alone != nil
	if single {
		elements = []*yaml.Node{n}
	}
	if l.flawed(at,
		flaw{isNull(n), "has no value", advice + ", or remove the key"},
		flaw{n.Kind == yaml.ScalarNode && strings.Contains(n.Value, ","), quoted(n.Value) + " is not a list", "write a list: [a, b]"},
		flaw{!single && (n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq"), shapeOf(n) + " is not a list", advice},
		flaw{len(elements) > maxEntries, fmt.Sprintf("has %d entries, more than %d", len(elements), maxEntries), "shorten it"},
		flaw{len(elements) == 0 && k.Get("empty") != "", "is empty", k.Get("empty")}) {
		return
	}
	into.SetZero()
	for i, element := range elements {
		below, v := entryOf(at, i), reflect.New(into.Type().Elem()).Elem()
		l.placed(below, element)
		l.one(below, element, k, v)
		into.Set(reflect.Append(into, v)) // a rejected entry keeps its place, so that the others keep their numbers
	}
}

// named reads sections keyed by the name of a client.
func (l *loader) named(at string, n *yaml.Node, k *key, into reflect.Value) {
	for _, pair := range l.pairs(at, n, new(key)) {
		below, v := keyOf(at, pair.name.Value), reflect.New(into.Type().Elem()).Elem()
		client := reflect.New(into.Type().Key()).Elem()
		l.placed(below, pair.name)
		l.set(below, pair.name.Value, clientName, client)
		if client.IsZero() {
			continue
		}
		l.one(below, pair.value, k, v)
		if into.IsNil() {
			into.Set(reflect.MakeMap(into.Type()))
		}
		into.SetMapIndex(client, v)
	}
}

// scalar reads one value.
func (l *loader) scalar(at string, n *yaml.Node, f *form, into reflect.Value) {
	tag := n.ShortTag()
	_, unquoted := f.parse(n.Value)
	if !l.flawed(at,
		flaw{isNull(n), "has no value", f.advice() + ", or remove the key"},
		flaw{n.Kind != yaml.ScalarNode, shapeOf(n) + " is not " + f.noun, f.advice()},
		flaw{!slices.Contains([]string{strTag, intTag, numTag, boolTag, timeTag}, tag), "is tagged " + printable(tag), "remove the tag"},
		flaw{f.tag == strTag && tag != strTag, quoted(n.Value) + " is " + shapeOf(n) + ", not " + f.noun, "if you mean text, put it in quotes"},
		flaw{f.tag != "" && f.tag != tag && unquoted == nil, quoted(n.Value) + " in quotes is text, not " + f.noun, "remove the quotes"}) {
		l.set(at, n.Value, f, into)
	}
}

// set parses text and sets the value, or rejects the key.
func (l *loader) set(at, text string, f *form, into reflect.Value) {
	v, err := f.parse(text)
	if err == nil && f.path {
		v, err = l.resolved(text, f.input)
	}
	if err != nil {
		wrong, said := errors.AsType[Problem](err)
		if !said {
			wrong.Message = quoted(text) + " is not " + f.noun
		}
		l.reject(at, wrong.Message, cmp.Or(wrong.Fix, f.advice()))
		return
	}
	into.Set(reflect.ValueOf(v).Convert(into.Type()))
}

// placed records where the key or entry at a path was given.
func (l *loader) placed(at string, n *yaml.Node) { l.origins[at] = origin{file: l.file, line: n.Line} }

// pair is a key of a mapping with its value.
type pair struct{ name, value *yaml.Node }

// pairs returns the pairs of a mapping, each key once, or none for a null. It
// reports what is wrong with them.
func (l *loader) pairs(at string, n *yaml.Node, k *key) (all []pair) {
	if isNull(n) || l.flawed(at,
		flaw{n.Kind != yaml.MappingNode, shapeOf(n) + " is not a section of keys", k.insteadOf(at)},
		flaw{n.ShortTag() != "!!map", "is tagged " + printable(n.ShortTag()), "remove the tag"}) {
		return nil
	}
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i]
		line, twice := lines[name.Value]
		switch {
		case name.Kind != yaml.ScalarNode || name.ShortTag() == "!!merge":
			l.reportLine(name.Line, at, shapeOf(name)+" is not a key", "write the keys out")
		case twice:
			l.reportLine(name.Line, keyOf(at, name.Value), "is given twice, first in line "+strconv.Itoa(line), "remove one of them")
		default:
			lines[name.Value] = name.Line
			all = append(all, pair{name, n.Content[i+1]})
		}
	}
	return all
}

// example returns an example value of the key, for messages.
func (k *key) example() string {
	if k.kind == reflect.Slice && k.form != nil {
		return "[" + k.form.example + "]"
	}
	return k.form.example
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == nullTag }

// shapeOf says what a node is, for messages.
func shapeOf(n *yaml.Node) string {
	if n.Kind == yaml.AliasNode {
		return "an alias (*" + printable(n.Value) + ")"
	}
	shapes := map[string]string{
		"!!map": "a section of keys", "!!seq": "a list", "!!merge": "a merge (<<)", boolTag: "true or false",
		intTag: "a number", numTag: "a number", timeTag: "a date", strTag: "text", nullTag: "nothing",
	}
	if shape, ok := shapes[n.ShortTag()]; ok {
		return shape
	}
	return "a value tagged " + printable(n.ShortTag())
}
