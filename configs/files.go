package configs

import (
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
)

// Files yields the files that the configuration reads, by the path of the key
// that names each.
func (c *Config) Files() iter.Seq2[string, string] {
	return func(yield func(key, file string) bool) {
		inputs("", schema(), reflect.ValueOf(c).Elem(), yield)
	}
}

// inputs yields the files that the keys of a section name, until yield returns
// false. No section that is known by a client's name has any.
func inputs(at string, keys []key, section reflect.Value, yield func(key, file string) bool) bool {
	for i := range keys {
		k := &keys[i]
		path, v, ok := keyOf(at, k.name), section.Field(k.field), true
		switch {
		case k.form != nil:
			ok = !k.form.input || v.String() == "" || yield(path, v.String())
		case k.shape == plain:
			ok = inputs(path, k.keys, v, yield)
		case k.shape == pointed && !v.IsNil():
			ok = inputs(path, k.keys, v.Elem(), yield)
		case k.shape == listed:
			for j := 0; ok && j < v.Len(); j++ {
				ok = inputs(entryOf(path, j), k.keys, v.Index(j), yield)
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

// checkState refuses a state file that the configuration needs for something
// else: tlslift would put the ledger in its place.
func (l *loader) checkState(c *Config) {
	const state = "state.file"
	if c.State.File == "" || !l.sound(state) {
		return
	}
	refuse := func(as string) {
		l.reject(state, strconv.Quote(c.State.File)+" is "+as+", which the ledger would replace", "name a file of its own, such as ledger.json")
	}
	if l.file != "" && sameFile(c.State.File, l.file) {
		refuse("this configuration itself")
		return
	}
	for key, file := range c.Files() {
		if sameFile(c.State.File, file) {
			refuse(key + " already")
			return
		}
	}
}

// sameFile reports whether two paths lead to one file, or would.
func sameFile(a, b string) bool {
	absolute, errA := filepath.Abs(a)
	other, errB := filepath.Abs(b)
	if errA == nil && errB == nil && absolute == other {
		return true
	}
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
