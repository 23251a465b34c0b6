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

// templateOf returns what carries a workload's pods, a mapping with metadata and
// spec, and the path to it. Nil for an object that is no workload, or whose spec
// is missing.
func templateOf(object *yaml.Node) (pod *yaml.Node, path []string) {
	kind, ok := templates[text(get(object, "kind"))]
	if !ok {
		return nil, nil
	}
	group, _, found := strings.Cut(text(get(object, "apiVersion")), "/")
	if !found {
		group = ""
	}
	for _, g := range kind.groups {
		if g == group {
			if t := walk(object, kind.path...); walk(t, "spec") != nil {
				return t, kind.path
			}
		}
	}
	return nil, nil
}

// listed returns the objects of a List; ok is false for everything else.
func listed(object *yaml.Node) (objects []*yaml.Node, ok bool) {
	if text(get(object, "kind")) != "List" || text(get(object, "apiVersion")) != "v1" {
		return nil, false
	}
	return items(get(object, "items")), true
}

// Found names the Kubernetes objects of a stream, those of Lists too.
func Found(in []byte) []string {
	var names []string
	var add func(object *yaml.Node)
	add = func(object *yaml.Node) {
		kind, metadata := text(get(object, "kind")), get(object, "metadata")
		if kind == "" || text(get(object, "apiVersion")) == "" {
			return
		}
		objects, ok := listed(object)
		if !ok || len(objects) == 0 {
			names = append(names, strings.TrimSpace(kind+" "+text(get(metadata, "name"))))
		}
		for _, o := range objects {
			add(o)
		}
	}
	for _, doc := range documents(in) {
		if root, err := parse(doc); err == nil && root != nil {
			add(root.Content[0])
		}
	}
	return names
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
		pod, _ := templateOf(object)
		return pod != nil
	}
	for _, o := range objects {
		if concerns(o) {
			return true
		}
	}
	return false
}
