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

// variableNames returns the names of the environment variables that are read,
// without their prefix.
func variableNames() []string {
	names := []string{"CONFIG"}
	for _, k := range schema().all() {
		if env, ok := k.Lookup("env"); ok {
			names = append(names, env)
		}
	}
	return names
}

// override applies variables, and flags over them.
func (l *loader) override(c reflect.Value, vars map[string]string, flags Flags) {
	for _, k := range schema().all() {
		env, ok := k.Lookup("env")
		if text := vars[env]; ok && text != "" {
			texts := []string{text}
			if k.shape == listed {
				texts = strings.Split(text, ",")
			}
			l.put(k, c, origin{file: FromEnvironment, name: envPrefix + env}, texts)
		}
		if texts := flags[k.Get("flag")]; len(texts) > 0 {
			l.put(k, c, origin{file: FromFlag, name: "--" + k.Get("flag")}, texts)
		}
	}
}

// put puts what was given for a key in the place of its value.
func (l *loader) put(k *key, into reflect.Value, from origin, texts []string) {
	into = into.FieldByIndex(k.index)
	if k.shape == listed {
		l.replace(k, into, from, texts)
		return
	}
	l.origins[k.path] = from
	l.set(k.path, texts[0], k.form, into)
}

// replace makes the entries of a list those that the texts name, each by the one
// key that it needs. One that is in the list already keeps its other settings, so
// that naming it again cannot drop an access list or a pin.
func (l *loader) replace(k *key, into reflect.Value, from origin, texts []string) {
	old, places := into.Slice(0, into.Len()), maps.Clone(l.origins)
	maps.DeleteFunc(l.origins, func(at string, _ origin) bool { return below(at, k.path) })
	l.origins[k.path] = from
	into.SetZero()
	for _, text := range texts {
		v, err := k.alone.form.parse(strings.TrimSpace(text))
		if err != nil {
			wrong := k.alone.form.wrong(strings.TrimSpace(text), err)
			if strings.ContainsAny(strings.TrimSpace(text), ",; \t\n") { // several at once
				wrong.Fix = "separate them with commas"
				if from.file == FromFlag {
					wrong.Fix = "repeat the flag for each"
				}
			}
			wrong.File, wrong.Key = from.file, from.name
			l.report(wrong)
			continue
		}
		at, entry := entryOf(k.path, into.Len()), reflect.New(into.Type().Elem()).Elem()
		k.setDefaults(entry)
		for i := range old.Len() {
			if same(k.alone.in(old.Index(i)).Interface(), v) {
				entry.Set(old.Index(i))
				for before, place := range places {
					if kept := entryOf(k.path, i); below(before, kept) {
						l.origins[at+before[len(kept):]] = place
					}
				}
				break
			}
		}
		k.alone.in(entry).Set(reflect.ValueOf(v))
		l.origins[keyOf(at, k.alone.name)] = from
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
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if vars[name] == "" || slices.Contains(known, name) || madeByKubernetes(name, vars) {
			continue
		}
		fix := "remove it; the variables are " + envPrefix + strings.Join(known, ", "+envPrefix)
		if near := suggest.Nearest(name, known); near != "" {
			fix = "did you mean " + envPrefix + near + "?"
		}
		l.report(Problem{File: FromEnvironment, Key: printable(envPrefix + name), Message: "unknown variable", Fix: fix})
	}
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
