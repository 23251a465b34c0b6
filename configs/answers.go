package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"

	"tlslift/proxy/call"
)

// Ways returns what the listener accepts.
func (l Listen) Ways() call.IngressSet {
	ways := call.Ways(l.Accept...)
	if l.Transparent {
		ways |= call.Ways(call.Transparent)
	}
	return ways
}

// Files yields the files that the configuration reads, each with the path of the
// key that names it.
func (c *Config) Files(yield func(key, file string) bool) {
	for _, f := range c.fields() {
		if f.form != nil && f.form.input && f.value.String() != "" && !yield(f.at, f.value.String()) {
			return
		}
	}
}

// RestartDiff names the sections in which c differs from old and that cannot
// change while tlslift runs: admin and state. A reload that changes one of them
// should be rejected as a whole, with a message that asks for a restart.
func (c *Config) RestartDiff(old *Config) []string {
	var changed []string
	if !reflect.DeepEqual(c.Admin, old.Admin) {
		changed = append(changed, "admin")
	}
	if c.State != old.State {
		changed = append(changed, "state")
	}
	return changed
}

// Hash returns 16 hexadecimal digits. They are the same for two configurations
// with the same values, whether these came from the file, the environment, flags
// or defaults. The contents of named files do not count, because some are secrets.
func (c *Config) Hash() string {
	text, _ := json.Marshal(c) // cannot fail: no type in Config can
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}
