package configs

import (
	"reflect"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"tlslift/proxy/suggest"
)

// key is one key of the file: a field of Config with its tags.
type key struct {
	reflect.StructTag
	name  string
	path  string       // such as listen[].address
	index int          // of its field
	form  *form        // of the value, or of each value of a list; nil = it holds keys
	keys  []key        // below it, or below each of its entries
	kind  reflect.Kind // Slice for a list of values or sections, Map for sections keyed by a client's name, else that of its value

	needs  []string
	alone  *key       // the one key that an entry needs, whose value may replace the entry
	preset *yaml.Node // the default; nil = the zero value
}

// schema is the whole file: a section of all keys, in the order of the documentation.
var schema = sync.OnceValue(func() *key { return &key{kind: reflect.Struct, keys: keysOf("", reflect.TypeFor[Config]())} })

// keysOf returns the keys of a section, whose paths begin with prefix.
func keysOf(prefix string, section reflect.Type) (keys []key) {
	for i := range section.NumField() {
		f := section.Field(i)
		if !f.IsExported() {
			continue
		}
		k := key{StructTag: f.Tag, name: f.Tag.Get("yaml"), index: i, preset: nodeOf(f.Tag.Get("default")), needs: strings.Fields(f.Tag.Get("needs"))}
		k.path, k.kind = prefix+k.name, f.Type.Kind()
		value, below := f.Type, k.path+"."
		switch k.kind {
		case reflect.Slice:
			value, below = value.Elem(), k.path+"[]."
		case reflect.Map:
			value, below = value.Elem(), k.path+".*."
		}
		if k.form = formOf(value, f.Tag); k.form == nil {
			k.keys = keysOf(below, value)
		}
		if len(k.needs) == 1 {
			k.alone = k.key(k.needs[0])
		}
		keys = append(keys, k)
	}
	return keys
}

// nodeOf parses YAML from the program itself; it returns nil for "".
func nodeOf(text string) *yaml.Node {
	var document yaml.Node
	if text == "" {
		return nil
	}
	if err := yaml.Load([]byte(text), &document); err != nil {
		panic(err.Error() + ": " + text)
	}
	return document.Content[0]
}

// all returns all keys below k, each before those below it.
func (k *key) all() (all []*key) {
	for i := range k.keys {
		all = append(append(all, &k.keys[i]), k.keys[i].all()...)
	}
	return all
}

// mayBeEmpty reports whether a section may be given without a value. One that is
// optional, or one of several, needs keys.
func (k *key) mayBeEmpty() bool {
	_, needs := k.Lookup("needs")
	return k.kind == reflect.Struct && !needs
}

// in returns the key's field in a section.
func (k *key) in(section reflect.Value) reflect.Value { return section.Field(k.index) }

// field is a key of a configuration with its path and value, or one value of a list.
type field struct {
	*key
	at    string
	value reflect.Value
}

// fields returns all keys below k, except those below a client's name.
func (k *key) fields(at string, section reflect.Value) (all []field) {
	for i := range k.keys {
		k := &k.keys[i]
		path, v := keyOf(at, k.name), k.in(section)
		all = append(all, field{k, path, v})
		switch k.kind {
		case reflect.Slice:
			for j := range v.Len() {
				if k.form != nil {
					all = append(all, field{k, entryOf(path, j), v.Index(j)})
				}
				all = append(all, k.fields(entryOf(path, j), v.Index(j))...)
			}
		case reflect.Struct:
			all = append(all, k.fields(path, v)...)
		}
	}
	return all
}

func (c *Config) fields() []field { return schema().fields("", reflect.ValueOf(c).Elem()) }

// key returns the key called name below k, or nil if there is none.
func (k *key) key(name string) *key {
	for i := range k.keys {
		if k.keys[i].name == name {
			return &k.keys[i]
		}
	}
	return nil
}

// Default returns the configuration of an empty file. Each call returns a new one
// that shares nothing with the others.
func Default() *Config {
	c := new(Config)
	schema().setDefaults(reflect.ValueOf(c).Elem())
	return c
}

// setDefaults sets the keys of a section to their defaults.
func (k *key) setDefaults(section reflect.Value) {
	l := newLoader("")
	for i := range k.keys {
		k := &k.keys[i]
		if into := k.in(section); k.preset != nil {
			l.read(k.name, k.preset, k, into)
		} else if k.kind == reflect.Struct {
			k.setDefaults(into)
		}
	}
}

// misspelt says what to do about a key that is not below k: use a similar name,
// move it to where it belongs, or choose from the names here.
func (k *key) misspelt(at, name string) string {
	names := make([]string, len(k.keys))
	for i, k := range k.keys {
		names[i] = k.name
	}
	if near := suggest.Nearest(name, names); near != "" {
		return "did you mean " + keyOf(at, near) + "?"
	}
	var elsewhere []string
	for _, k := range schema().all() {
		if k.name == name && k.form != nil && !strings.ContainsAny(k.path, "[*") {
			elsewhere = append(elsewhere, k.path)
		}
	}
	// A word as common as "file" means something different in each section.
	if len(elsewhere) == 1 && (at == "" || strings.Contains(name, "_")) {
		return "did you mean " + elsewhere[0] + "?"
	}
	return "remove it; the keys here are " + strings.Join(names, ", ")
}
