package configs

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// key is one key of the schema, bound to the value that it sets.
type key struct {
	name     string
	example  string // a value, for messages
	required bool   // an entry without it is incomplete
	read     func(l *loader, at string, n *yaml.Node)

	under []key  // the keys below it
	shape string // how they are reached: "" directly, "[]" by number, ".*" by name
}

// must returns k as a key that its entry cannot do without.
func (k key) must() key {
	k.required = true
	return k
}

// value is a key that holds one scalar.
func value[T any](name string, into *T, k kind[T]) key {
	return key{name: name, example: k.example, read: func(l *loader, at string, n *yaml.Node) {
		if v, ok := scalar(l, at, n, k); ok {
			*into = v
		}
	}}
}

// list is a key that holds a list of scalars, which replaces the default one.
// ifEmpty says what is wrong with a list of none; "" = nothing.
func list[T any](name string, into *[]T, k kind[T], ifEmpty string) key {
	example := "[" + k.example + "]"
	return key{name: name, example: example, read: func(l *loader, at string, n *yaml.Node) {
		elements, ok := l.elements(at, n, "write e.g. "+example)
		if !ok {
			return
		}
		if len(elements) == 0 && ifEmpty != "" {
			l.reject(at, &fault{"is empty", ifEmpty})
			return
		}
		*into = nil
		for i, element := range elements {
			below := entryOf(at, i)
			l.placed(below, element)
			// A refused one keeps its place, for the others' numbers.
			v, _ := scalar(l, below, element, k)
			*into = append(*into, v)
		}
	}}
}

// section is a key that holds other keys.
func section(name string, keys []key) key {
	return key{name: name, under: keys, read: func(l *loader, at string, n *yaml.Node) {
		l.section(at, n, keys)
	}}
}

// optional is a section whose presence means something.
func optional[T any](name string, into **T, keys func(*T) []key) key {
	return key{name: name, under: keys(new(T)), read: func(l *loader, at string, n *yaml.Node) {
		v := new(T)
		l.entry(at, n, keys(v))
		*into = v
	}}
}

// entries is a key that holds a list of sections, which replaces the default
// one. Each begins as fresh. ifEmpty is as for list.
func entries[T any](name string, into *[]T, fresh func() T, keys func(*T) []key, ifEmpty string) key {
	current := new(T) // the schema below is bound to it, and to each entry in turn
	under := keys(current)
	return key{name: name, under: under, shape: "[]", read: func(l *loader, at string, n *yaml.Node) {
		elements, ok := l.elements(at, n, "write entries, each beginning with a dash")
		if !ok {
			return
		}
		if len(elements) == 0 && ifEmpty != "" {
			l.reject(at, &fault{"is empty", ifEmpty})
			return
		}
		read := make([]T, len(elements))
		for i, element := range elements {
			below := entryOf(at, i)
			l.placed(below, element)
			*current = fresh()
			l.entry(below, element, under)
			read[i] = *current
		}
		*into = read
		if len(read) == 0 {
			*into = nil
		}
	}}
}

// named is a key that holds sections by a client's name.
func named[T any](name string, into *map[string]T, keys func(*T) []key) key {
	current := new(T)
	under := keys(current)
	return key{name: name, under: under, shape: ".*", read: func(l *loader, at string, n *yaml.Node) {
		pairs, ok := l.pairs(at, n)
		if !ok {
			return
		}
		read := make(map[string]T, len(pairs))
		for _, pair := range pairs {
			below := keyOf(at, pair.name)
			l.placed(below, pair.key)
			if _, f := clientName.parse(pair.name); f != nil {
				l.reject(below, f)
				continue
			}
			*current = *new(T)
			l.entry(below, pair.value, under)
			read[pair.name] = *current
		}
		if len(read) > 0 {
			*into = read
		}
	}}
}

// section reads the keys of a section; one without any is empty.
func (l *loader) section(at string, n *yaml.Node, keys []key) {
	pairs, ok := l.pairs(at, n)
	if !ok {
		return
	}
	for _, pair := range pairs {
		below := keyOf(at, pair.name)
		k := find(keys, pair.name)
		if k == nil {
			l.report(Problem{l.file, pair.key.Line, below, "unknown key", l.suggest(at, pair.name, keys)})
			continue
		}
		l.placed(below, pair.key)
		k.read(l, below, pair.value)
	}
}

// entry reads a section that is one of several, or optional, and misses its
// required keys.
func (l *loader) entry(at string, n *yaml.Node, keys []key) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == nullTag {
		l.reject(at, &fault{"is empty", "write its keys, or remove it"})
		return
	}
	l.section(at, n, keys)
	if l.origins[at].refused {
		return
	}
	for _, k := range keys {
		if _, ok := l.origins[keyOf(at, k.name)]; k.required && !ok {
			l.reject(at, faultf("write e.g. "+strings.TrimSpace(k.name+": "+k.example), "has no %s", k.name))
		}
	}
}

// placed records where the key or entry at a spot was given.
func (l *loader) placed(at string, n *yaml.Node) {
	l.origins[at] = origin{file: l.file, line: n.Line}
}

func find(keys []key, name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}
