package inject

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// templates says where the pod template is in each kind of workload.
var templates = map[string]struct {
	groups []string // of the API; "" is the core group
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

// templateOf returns the pod template of a workload, a mapping with metadata and
// spec, and the path to it. It returns nil for an object that is not a workload,
// or whose spec is missing. Its error says what is there instead.
func templateOf(object *yaml.Node) (pod *yaml.Node, path []string, err error) {
	kind, ok := templates[text(get(object, "kind"))]
	group, _, found := strings.Cut(text(get(object, "apiVersion")), "/")
	if !found {
		group = ""
	}
	switch {
	case isList(object) && !isNull(get(object, "items")):
		return nil, nil, wantKind(walk(object, "items"), yaml.SequenceNode, "items")
	case !ok || !slices.Contains(kind.groups, group):
		return nil, nil, nil
	}
	pod = object
	for i, key := range kind.path {
		if pod = walk(pod, key); isNull(pod) {
			return nil, nil, nil
		}
		if err := wantKind(pod, yaml.MappingNode, strings.Join(kind.path[:i+1], ".")); err != nil {
			return nil, nil, err
		}
	}
	if get(pod, "spec") == nil {
		return nil, nil, nil
	}
	return pod, kind.path, nil
}

func isList(object *yaml.Node) bool {
	return text(get(object, "kind")) == "List" && text(get(object, "apiVersion")) == "v1"
}

// objectsOf returns an object itself, or the objects of a List, including those
// of nested Lists. Each is returned once: aliases can lead to one many times, or
// back to the List.
func objectsOf(object *yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	seen := make(map[*yaml.Node]bool)
	var add func(*yaml.Node)
	add = func(o *yaml.Node) {
		if o.Kind == yaml.AliasNode {
			o = o.Alias
		}
		if seen[o] {
			return
		}
		seen[o] = true
		listed := items(get(o, "items"))
		if !isList(o) || len(listed) == 0 {
			all = append(all, o)
			return
		}
		for _, item := range listed {
			add(item)
		}
	}
	add(object)
	return all
}

// Found names the Kubernetes objects of a stream, including those in Lists.
func Found(in []byte) []string {
	var names []string
	for _, doc := range documents(in) {
		root, err := parse(doc)
		if err != nil || root == nil {
			continue
		}
		for _, o := range objectsOf(root.Content[0]) {
			if kind := text(get(o, "kind")); kind != "" && text(get(o, "apiVersion")) != "" {
				names = append(names, strings.TrimSpace(kind+" "+text(walk(o, "metadata", "name"))))
			}
		}
	}
	return names
}

// concerns reports whether a document is a workload or a List with one, or was
// meant to be.
func concerns(object *yaml.Node) bool {
	return slices.ContainsFunc(objectsOf(object), func(o *yaml.Node) bool {
		pod, _, err := templateOf(o)
		return pod != nil || err != nil
	})
}
