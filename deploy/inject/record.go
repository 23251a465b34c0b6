package inject

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// record is the value of AnnotationInjected: what was added to a pod, and which
// mappings and lists had to be created for it.
type record struct {
	Env     map[string][]string `json:"env,omitempty"`     // by container, including init containers
	Volumes []string            `json:"volumes,omitempty"` // names
	Init    []string            `json:"init,omitempty"`    // names of init containers
	Labels  []string            `json:"labels,omitempty"`
	Config  bool                `json:"config,omitempty"` // the configuration's annotation
	Made    []string            `json:"made,omitempty"`   // paths; those of former nulls are followed by = and how the null was written
}

// pathOf returns the path of a key in record.Made: the key itself, or "env/NAME"
// for a container's env.
func pathOf(m *yaml.Node, key string) string {
	if key == "env" {
		return key + "/" + text(get(m, "name"))
	}
	return key
}

// ensure returns the mapping or list at a key. It creates one if there is
// none, or null.
func (r *record) ensure(m *yaml.Node, key string, kind yaml.Kind) (*yaml.Node, error) {
	child := get(m, key)
	if !isNull(child) {
		return child, wantKind(child, kind, key)
	}
	made := &yaml.Node{Kind: kind, Tag: map[yaml.Kind]string{yaml.MappingNode: "!!map", yaml.SequenceNode: "!!seq"}[kind]}
	if child == nil {
		insertKey(m, "image", key, made) // only a container has that key
		r.Made = append(r.Made, pathOf(m, key))
		return made, nil
	}
	r.Made = append(r.Made, pathOf(m, key)+"="+child.Value)
	m.Content[indexOf(m, key)+1] = made
	return made, nil
}

// drop undoes ensure after the additions have been removed. What others have put
// there since stays.
func (r *record) drop(m *yaml.Node, key string) {
	child := get(m, key)
	if child == nil || len(child.Content) > 0 {
		return
	}
	for _, made := range r.Made {
		name, null, was := strings.Cut(made, "=")
		switch {
		case name != pathOf(m, key):
		case was:
			m.Content[indexOf(m, key)+1] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: null}
		default:
			removeKey(m, key)
		}
	}
}

// encode is deterministic: equal records give equal text.
func (r *record) encode() string {
	slices.Sort(r.Made)
	data, _ := json.Marshal(r) // cannot fail: it holds only names
	return string(data)
}

// readRecord returns what was injected into a pod, or nil if nothing was.
func readRecord(pod *yaml.Node) (*record, error) {
	n := walk(pod, "metadata", "annotations", AnnotationInjected)
	if n == nil {
		return nil, nil
	}
	r := new(record)
	if err := json.Unmarshal([]byte(text(n)), r); err != nil {
		return nil, fmt.Errorf("line %d: annotation %s is not what tlslift inject wrote: %w", n.Line, AnnotationInjected, err)
	}
	return r, nil
}
