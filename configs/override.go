package configs

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"tlslift/proxy/suggest"
)

const envPrefix = "TLSLIFT_"

// variables returns the TLSLIFT_ variables of an environment, without that prefix.
// If a variable is there twice, the last one counts, as in os/exec. Empty ones count
// as unset, because an unset field of a manifest arrives as an empty variable.
func variables(env []string) map[string]string {
	found := make(map[string]string)
	for _, entry := range env {
		name, text, _ := strings.Cut(entry, "=")
		if name, ok := strings.CutPrefix(name, envPrefix); ok {
			found[name] = text
		}
	}
	return found
}

// variableNames returns the environment variables that are read, without
// their prefix.
func variableNames() []string {
	names := []string{"CONFIG"}
	for _, k := range schema().all() {
		if env, ok := k.Lookup("env"); ok {
			names = append(names, env)
		}
	}
	return names
}

// override applies variables, then flags, which take precedence.
func (l *loader) override(c *Config, vars map[string]string, flags Flags) {
	for _, f := range c.fields() {
		env, ok := f.Lookup("env")
		if text := vars[env]; ok && text != "" {
			texts := []string{text}
			if f.kind == reflect.Slice {
				texts = strings.Split(text, ",")
			}
			l.put(f, origin{file: fromEnvironment, name: envPrefix + env}, texts, "separate them with commas")
		}
		if texts := flags[f.Get("flag")]; len(texts) > 0 {
			l.put(f, origin{file: fromFlag, name: "--" + f.Get("flag")}, texts, "repeat the flag for each")
		}
	}
}

// put replaces a key's value with what was given for it. The entries of a list
// become those that the texts name, each by the one key that it needs. An entry
// that is already in the list keeps its other settings, so that naming it again
// cannot drop an access list or a pin. several says how to give more than one.
func (l *loader) put(f field, from origin, texts []string, several string) {
	if f.kind != reflect.Slice {
		l.origins[f.at] = from
		l.set(f.at, texts[0], f.form, f.value)
		return
	}
	old, places := f.value.Slice(0, f.value.Len()), maps.Clone(l.origins)
	maps.DeleteFunc(l.origins, func(at string, _ origin) bool { return below(at, f.at) })
	l.origins[f.at] = from
	f.value.SetZero()
	for _, text := range texts {
		entry, at := reflect.New(f.value.Type().Elem()).Elem(), entryOf(f.at, f.value.Len())
		name, nameAt := reflect.New(f.alone.in(entry).Type()).Elem(), keyOf(at, f.alone.name)
		form := *f.alone.form
		if text = strings.TrimSpace(text); strings.ContainsAny(text, ",; \t\n") {
			form.fix = several
		}
		l.origins[nameAt] = from
		l.set(nameAt, text, &form, name)
		f.setDefaults(entry)
		for i := range old.Len() {
			if kept := entryOf(f.at, i); same(f.alone.in(old.Index(i)).Interface(), name.Interface()) {
				entry.Set(old.Index(i))
				for before, place := range places {
					if below(before, kept) && at+before[len(kept):] != nameAt {
						l.origins[at+before[len(kept):]] = place
					}
				}
				break
			}
		}
		f.alone.in(entry).Set(name)
		f.value.Set(reflect.Append(f.value, entry))
	}
}

// same reports whether two values of the key that identifies entries are equal.
func same(a, b any) bool {
	one, isAddress := a.(string)
	if !isAddress {
		return a == b
	}
	hostA, portA := endpoint(one)
	hostB, portB := endpoint(b.(string))
	return hostA == hostB && portA == portB
}

// unknownVariables reports variables that are misspelled, or meant for
// another version.
func (l *loader) unknownVariables(vars map[string]string) {
	known := variableNames()
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if vars[name] == "" || slices.Contains(known, name) || madeByKubernetes(name, vars) {
			continue
		}
		fix := "remove it; the variables are " + envPrefix + strings.Join(known, ", "+envPrefix)
		if near := suggest.Nearest(name, known); near != "" {
			fix = "did you mean " + envPrefix + near + "?"
		}
		l.report(Problem{File: fromEnvironment, Key: printable(envPrefix + name), Message: "unknown variable", Fix: fix})
	}
}

// serviceVariable matches what Kubernetes sets for a Service: its own variables
// and those of Docker links.
var serviceVariable = regexp.MustCompile(
	`^((?:[A-Z0-9_]+?_)??)(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// madeByKubernetes reports whether Kubernetes set the variable for a Service
// called tlslift, or for one whose name begins with it, such as tlslift-gateway.
// For the latter, the Service's host and port must be set too, as they always are.
func madeByKubernetes(name string, vars map[string]string) bool {
	parts := serviceVariable.FindStringSubmatch(name)
	return parts != nil && (parts[1] == "" || vars[parts[1]+"SERVICE_HOST"] != "" && vars[parts[1]+"SERVICE_PORT"] != "")
}
