package inject

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// get returns the value of a key, or nil if m is not a mapping or has no such key.
func get(m *yaml.Node, key string) *yaml.Node {
	if i := indexOf(m, key); i >= 0 {
		return m.Content[i+1]
	}
	return nil
}

// indexOf returns the index of a key in a mapping's Content, or -1.
func indexOf(m *yaml.Node, key string) int {
	if m == nil || m.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.Value == key {
			return i
		}
	}
	return -1
}

// walk follows keys down from m, through aliases.
func walk(m *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if m = get(m, key); m != nil && m.Kind == yaml.AliasNode {
			m = m.Alias
		}
	}
	return m
}

// text returns the value of a scalar, or "" for null and anything else.
func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// isNull reports whether a value is missing or null, which are the same to
// Kubernetes.
func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// insertKey inserts a key that the mapping does not have, after the key near or,
// if that is missing, at the beginning. If it would be the last key there, it
// goes before near: a comment after the last entry then stays with its entry.
func insertKey(m *yaml.Node, near, key string, value *yaml.Node) {
	at := 0
	if i := indexOf(m, near); i >= 0 {
		if at = i + 2; at == len(m.Content) {
			at = i
		}
	}
	loosen(m)
	pair := []*yaml.Node{scalar(key), value}
	m.Content = append(m.Content[:at:at], append(pair, m.Content[at:]...)...)
}

func removeKey(m *yaml.Node, key string) {
	if i := indexOf(m, key); i >= 0 {
		m.Content = append(m.Content[:i:i], m.Content[i+2:]...)
	}
}

func prepend(seq *yaml.Node, items ...*yaml.Node) {
	loosen(seq)
	seq.Content = append(append([]*yaml.Node{}, items...), seq.Content...)
}

// loosen lets an empty {} or [] grow as a block. When it is empty again, it is
// written as before.
func loosen(n *yaml.Node) {
	if len(n.Content) == 0 {
		n.Style &^= yaml.FlowStyle
	}
}

// named returns the item with a name in a sequence of mappings, and its index, or
// nil and -1 if there is none.
func named(seq *yaml.Node, name string) (*yaml.Node, int) {
	if seq == nil || seq.Kind != yaml.SequenceNode {
		return nil, -1
	}
	for i, item := range seq.Content {
		if n := get(item, "name"); n != nil && text(n) == name {
			return item, i
		}
	}
	return nil, -1
}

func namesOf(list []*yaml.Node) []string {
	names := make([]string, 0, len(list))
	for _, item := range list {
		names = append(names, text(get(item, "name")))
	}
	return names
}

func removeNamed(seq *yaml.Node, name string) {
	if _, i := named(seq, name); i >= 0 {
		seq.Content = append(seq.Content[:i:i], seq.Content[i+1:]...)
	}
}

// items returns the items of a sequence, or nil if seq is not one.
func items(seq *yaml.Node) []*yaml.Node {
	if seq == nil || seq.Kind != yaml.SequenceNode {
		return nil
	}
	return seq.Content
}

func clone(n *yaml.Node) *yaml.Node {
	c := *n
	c.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		c.Content[i] = clone(child)
	}
	return &c
}

// equal compares values in order, but not how they are written.
func equal(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && a.ShortTag() == b.ShortTag() && slices.EqualFunc(a.Content, b.Content, equal)
}

// scalar returns a string node, which the encoder quotes if needed.
func scalar(value string) *yaml.Node {
	n := new(yaml.Node)
	n.SetString(value)
	return n
}

// plain removes how and where a value was written.
func plain(n *yaml.Node) *yaml.Node {
	for _, c := range n.Content {
		plain(c)
	}
	*n = yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Content: n.Content}
	return n
}

// wantKind returns an error if a value is not of the kind that Kubernetes wants.
func wantKind(n *yaml.Node, kind yaml.Kind, path string) error {
	if n.Kind == kind {
		return nil
	}
	want := map[yaml.Kind]string{yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list", yaml.ScalarNode: "a value"}[kind]
	return fmt.Errorf("line %d: %s is not %s", n.Line, path, want)
}
