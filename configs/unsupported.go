package configs

import "go.yaml.in/yaml/v3"

// gate is a key that the schema has and tlslift does not act on yet. A file that
// gives it is refused, so that nobody relies on what does nothing.
type gate struct {
	key     string // as in spot.schema
	allowed string // the one value that is harmless: the default; "" = none
	what    string
}

// notSupportedYet is the whole list. What lands loses its line here, its line
// in docs/configuration.md and its file in testdata/invalid.
var notSupportedYet = [...]gate{
	{"listen[].strict", "false", "rehearsing the sunset"},
	{"policy.mode", "enforce", "counting without enforcing"},
	{"policy.default.action", "allow", "warning and refusing"},
	{"policy.default.sunset", "", "sunsets"},
	{"policy.default.link", "", "links to a migration page"},
	{"policy.clients.*.sunset", "", "sunsets"},
	{"policy.clients.*.waiver", "", "waivers"},
	{"policy.brownouts", "", "brownouts"},
}

// unsupported says that a key, given with the value n, is not supported yet; nil
// when it is.
func (l *loader) unsupported(schema string, n *yaml.Node) *fault {
	for _, g := range l.gates {
		if g.key != schema {
			continue
		}
		if g.allowed != "" && n.Kind == yaml.ScalarNode && n.Value == g.allowed {
			return nil
		}
		return faultf("remove this key", "not supported yet: %s", g.what)
	}
	return nil
}
