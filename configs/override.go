package configs

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"tlslift/proxy/suggest"
)

const envPrefix = "TLSLIFT_"

// variables returns the TLSLIFT_ part of an environment, without that prefix. Of
// a variable that is there twice the last one counts, as for os/exec. Empty ones
// count as unset: an unset field of a manifest arrives as an empty variable.
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

// variableNames returns the names of the environment variables that are read.
func variableNames() []string {
	names := []string{envPrefix + "CONFIG"}
	var walk func([]key)
	walk = func(keys []key) {
		for _, k := range keys {
			if k.env != "" {
				names = append(names, envPrefix+k.env)
			}
			walk(k.keys)
		}
	}
	walk(schema())
	return names
}

// override puts what is given for a key, if anything, in the place of its value,
// and reports whether anything was.
func (l *loader) override(at string, keys []key, into reflect.Value, given func(*key) (origin, []string)) (any bool) {
	for i := range keys {
		k := &keys[i]
		path, v := keyOf(at, k.name), into.Field(k.field)
		from, texts := given(k)
		switch {
		case len(texts) > 0 && k.shape == listed:
			l.replace(path, k, v, from, texts)
		case len(texts) > 0:
			l.origins[path] = from
			l.set(path, texts[0], k.form, v)
		case k.shape == pointed:
			section := reflect.New(v.Type().Elem())
			if !v.IsNil() {
				section.Elem().Set(v.Elem())
			}
			if l.override(path, k.keys, section.Elem(), given) {
				v.Set(section)
			}
			continue
		case k.shape == plain && k.keys != nil:
			l.override(path, k.keys, v, given)
			continue
		default:
			continue
		}
		any = true
	}
	return any
}

// replace makes the entries of a list those that the texts name, each by the one
// key that it needs. One that is in the list already keeps its other settings, so
// that naming it again cannot drop an access list or a pin.
func (l *loader) replace(path string, k *key, into reflect.Value, from origin, texts []string) {
	old, places := into.Slice(0, into.Len()), l.origins.take(path)
	l.origins[path] = from
	into.SetZero()
	id := keyNamed(k.keys, k.needs[0])
	for _, text := range texts {
		v, f := id.form.parse(l, strings.TrimSpace(text))
		if f != nil {
			fix := f.fixOr(id.form)
			if from.file == FromFlag && strings.Contains(text, ",") {
				fix = "repeat the flag for each"
			}
			l.report(Problem{File: from.file, Key: from.name, Message: f.message, Fix: fix})
			continue
		}
		at, entry := entryOf(path, into.Len()), reflect.New(into.Type().Elem()).Elem()
		setDefaults(k.keys, entry)
		for i := range old.Len() {
			if same(old.Index(i).Field(id.field).Interface(), v) {
				entry.Set(old.Index(i))
				l.origins.put(at, entryOf("", i), places)
				break
			}
		}
		entry.Field(id.field).Set(reflect.ValueOf(v))
		l.origins[keyOf(at, id.name)] = from
		into.Set(reflect.Append(into, entry))
	}
}

// same reports whether two values of the key that tells entries apart are one.
func same(a, b any) bool {
	one, isAddress := a.(string)
	if !isAddress {
		return a == b
	}
	hostA, portA := endpoint(one)
	hostB, portB := endpoint(b.(string))
	return hostA == hostB && portA == portB
}

// unknownVariables reports what is misspelled, or was meant for another version.
func (l *loader) unknownVariables(vars map[string]string) {
	known := variableNames()
	var unknown []string
	for name, text := range vars {
		if text != "" && !slices.Contains(known, envPrefix+name) && !madeByKubernetes(name, vars) {
			unknown = append(unknown, envPrefix+name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		fix := "remove it; the variables are " + strings.Join(known, ", ")
		if near := suggest.Nearest(strings.TrimPrefix(name, envPrefix), withoutPrefix(known)); near != "" {
			fix = "did you mean " + envPrefix + near + "?"
		}
		l.report(Problem{File: FromEnvironment, Key: printable(name), Message: "unknown variable", Fix: fix})
	}
}

// withoutPrefix takes off what all variables have in common, which would make any
// two of them alike.
func withoutPrefix(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, strings.TrimPrefix(name, envPrefix))
	}
	return out
}

// serviceVariable matches what Kubernetes sets for a Service: its own variables
// and those of Docker's links.
var serviceVariable = regexp.MustCompile(
	`^((?:[A-Z0-9_]+?_)??)(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

// madeByKubernetes reports whether Kubernetes set the variable: for a Service
// called tlslift, or for one whose name only begins so, such as tlslift-gateway.
// The latter is believed in only when its host and port are there, as they always
// are.
func madeByKubernetes(name string, vars map[string]string) bool {
	parts := serviceVariable.FindStringSubmatch(name)
	return parts != nil && (parts[1] == "" || vars[parts[1]+"SERVICE_HOST"] != "" && vars[parts[1]+"SERVICE_PORT"] != "")
}
