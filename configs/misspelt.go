package configs

import (
	"strings"

	"tlslift/proxy/suggest"
)

// misspelt says what to do about a key that is not among keys: a name like it,
// the place where that name belongs, or the names that there are.
func misspelt(at, name string, keys []key) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	if near := suggest.Nearest(name, names); near != "" {
		return "did you mean " + keyOf(at, near) + "?"
	}
	// A word as common as file means something else in each section.
	if elsewhere := valuesCalled(name, "", schema()); len(elsewhere) == 1 && (at == "" || strings.Contains(name, "_")) {
		return "did you mean " + elsewhere[0] + "?"
	}
	return "remove it; the keys here are " + strings.Join(names, ", ")
}

// valuesCalled returns the paths of the keys called name that hold a value, in
// the sections that there is one of.
func valuesCalled(name, prefix string, keys []key) []string {
	var found []string
	for _, k := range keys {
		switch path := prefix + k.name; {
		case k.keys == nil && k.name == name:
			found = append(found, path)
		case k.shape == plain || k.shape == pointed:
			found = append(found, valuesCalled(name, path+".", k.keys)...)
		}
	}
	return found
}
