package configs

import (
	"reflect"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
)

// key is one key of the file: a field of Config and what its tags say.
type key struct {
	name  string
	field int   // its index in the struct
	form  *form // of the value, or of each value of a list; nil: it holds keys
	keys  []key // below it, or below each of its entries
	shape shape

	needs      []string
	preset     *yaml.Node // the default; nil = the zero value
	empty      string
	with, most string
	env, flags string
}

// shape is how a key holds what is below it.
type shape string

const (
	plain   shape = ""   // one value or section
	listed  shape = "[]" // a list of them
	named   shape = ".*" // sections by a client's name
	pointed shape = "*"  // a section whose presence means something
)

// schema is every key of the file, in the order of the documentation.
var schema = sync.OnceValue(func() []key { return keysOf(reflect.TypeFor[Config]()) })

func keysOf(section reflect.Type) []key {
	var keys []key
	for i := range section.NumField() {
		if f := section.Field(i); f.IsExported() {
			keys = append(keys, keyOfField(i, f))
		}
	}
	return keys
}

func keyOfField(i int, f reflect.StructField) key {
	k := key{
		name: f.Tag.Get("yaml"), field: i, needs: strings.Fields(f.Tag.Get("needs")), empty: f.Tag.Get("empty"),
		with: f.Tag.Get("with"), most: f.Tag.Get("most"), env: f.Tag.Get("env"), flags: f.Tag.Get("flag"),
	}
	value := f.Type
	switch value.Kind() {
	case reflect.Slice:
		k.shape = listed
	case reflect.Map:
		k.shape = named
	case reflect.Pointer:
		k.shape = pointed
	}
	if k.shape != plain {
		value = value.Elem()
	}
	if k.form = formOf(value, f.Tag); k.form == nil {
		k.keys = keysOf(value)
	}
	if text := f.Tag.Get("default"); text != "" {
		var document yaml.Node
		if err := yaml.Load([]byte(text), &document); err != nil {
			panic(k.name + ": " + err.Error()) // a tag is wrong
		}
		k.preset = document.Content[0]
	}
	return k
}

// keyNamed returns the key called name; nil when there is none.
func keyNamed(keys []key, name string) *key {
	for i := range keys {
		if keys[i].name == name {
			return &keys[i]
		}
	}
	return nil
}

// Default returns the configuration of an empty file. Each call returns a new
// one that shares nothing with the others.
func Default() *Config {
	c := new(Config)
	setDefaults(schema(), reflect.ValueOf(c).Elem())
	return c
}

// setDefaults gives the keys of a section their defaults.
func setDefaults(keys []key, section reflect.Value) {
	l := newLoader("", nil)
	for i := range keys {
		k := &keys[i]
		if into := section.Field(k.field); k.preset != nil {
			l.read(k.name, k.preset, k, into)
		} else if k.shape == plain && k.keys != nil {
			setDefaults(k.keys, into)
		}
	}
}
