package inject

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// templates are the places of the pod template in each kind of workload.
var templates = map[string]struct {
	groups []string // of the API; "" is the core
	path   []string
}{
	"Pod":                   {[]string{""}, nil},
	"ReplicationController": {[]string{""}, []string{"spec", "template"}},
	"Deployment":            {[]string{"apps", "extensions"}, []string{"spec", "template"}},
	"StatefulSet":           {[]string{"apps"}, []string{"spec", "template"}},
	"DaemonSet":             {[]string{"apps", "extensions"}, []string{"spec", "template"}},
	"ReplicaSet":            {[]string{"apps", "extensions"}, []string{"spec", "template"}},
	"Job":                   {[]string{"batch"}, []string{"spec", "template"}},
	"CronJob":               {[]string{"batch"}, []string{"spec", "jobTemplate", "spec", "template"}},
}

// template returns what carries a workload's pods: a mapping with metadata and
// spec. Nil for an object that is no workload, or whose spec is missing.
func template(object *yaml.Node) *yaml.Node {
	kind, ok := templates[text(get(object, "kind"))]
	if !ok {
		return nil
	}
	group, _, found := strings.Cut(text(get(object, "apiVersion")), "/")
	if !found {
		group = ""
	}
	for _, g := range kind.groups {
		if g == group {
			if t := walk(object, kind.path...); walk(t, "spec") != nil {
				return t
			}
		}
	}
	return nil
}

// listed returns the objects of a List; ok is false for everything else.
func listed(object *yaml.Node) (objects []*yaml.Node, ok bool) {
	if text(get(object, "kind")) != "List" || text(get(object, "apiVersion")) != "v1" {
		return nil, false
	}
	return items(get(object, "items")), true
}

// concerns reports whether a document is a workload, or a List with one.
func concerns(object *yaml.Node) bool {
	if object == nil {
		return false
	}
	if object.Kind == yaml.AliasNode {
		object = object.Alias
	}
	objects, ok := listed(object)
	if !ok {
		return template(object) != nil
	}
	for _, o := range objects {
		if concerns(o) {
			return true
		}
	}
	return false
}
