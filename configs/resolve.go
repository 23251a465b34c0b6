package configs

import (
	"reflect"
	"slices"
)

// Accepts reports whether the listener accepts the way in.
func (l Listen) Accepts(w Way) bool {
	if w == WayTransparent {
		return l.Transparent
	}
	return slices.Contains(l.Accept, w)
}

// RestartDiff names the sections in which c differs from old and which cannot
// change while tlslift runs: of admin and state. A reload that changes
// one of them is to be refused whole, with a message that says restart.
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
