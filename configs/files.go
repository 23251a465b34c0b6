package configs

import (
	"os"
	"path/filepath"
	"strconv"
)

// Files yields the files that the configuration reads, by the path of the key
// that names each.
func (c *Config) Files(yield func(key, file string) bool) {
	for _, f := range c.fields() {
		if f.form != nil && f.form.input && f.value.String() != "" && !yield(f.at, f.value.String()) {
			return
		}
	}
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
	for key, file := range c.Files {
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
