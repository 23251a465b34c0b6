package inject

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// Limits of one document. A manifest written by a person is far below them; one
// whose aliases multiply is not.
const (
	maxNodes = 200_000
	maxDepth = 200
)

// expander writes out aliases and merge keys, because an edit in one place must
// not change another.
type expander struct {
	nodes   int
	aliases bool
}

// expand checks a document's limits and that no key is there twice, and writes
// out its aliases. If there were aliases, the result shares no nodes with n.
func expand(n *yaml.Node) (*yaml.Node, error) {
	e := &expander{aliases: hasAlias(n)}
	return e.node(n, 0)
}

func hasAlias(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, hasAlias)
}

func (e *expander) node(n *yaml.Node, depth int) (*yaml.Node, error) {
	if e.nodes++; e.nodes > maxNodes {
		return nil, fmt.Errorf("line %d: more than %d values, aliases written out", n.Line, maxNodes)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("line %d: nested deeper than %d, or in itself", n.Line, maxDepth)
	}
	if n.Kind == yaml.AliasNode {
		return e.node(n.Alias, depth+1)
	}
	out := n
	if e.aliases {
		c := *n
		c.Anchor, c.Content = "", make([]*yaml.Node, len(n.Content))
		out = &c
	}
	for i, child := range n.Content {
		c, err := e.node(child, depth+1)
		if err != nil {
			return nil, err
		}
		out.Content[i] = c
	}
	if out.Kind == yaml.MappingNode {
		if err := flatten(out); err != nil {
			return nil, err
		}
		return out, noDuplicates(out)
	}
	return out, nil
}

// flatten replaces a merge key (<<) by its contents. The mapping's own keys take
// precedence, then those of the first source that has them.
func flatten(m *yaml.Node) error {
	at, seen := -1, map[string]bool{}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Tag == "!!merge" && at < 0 {
			at = i
			continue
		}
		seen[m.Content[i].Value] = true
	}
	if at < 0 {
		return nil
	}
	sources := []*yaml.Node{m.Content[at+1]}
	if sources[0].Kind == yaml.SequenceNode {
		sources = sources[0].Content
	}
	content := append([]*yaml.Node{}, m.Content[:at]...)
	for _, s := range sources {
		if s.Kind != yaml.MappingNode {
			return fmt.Errorf("line %d: << does not name a mapping", m.Content[at].Line)
		}
		for i := 0; i+1 < len(s.Content); i += 2 {
			if key := s.Content[i].Value; !seen[key] {
				seen[key] = true
				content = append(content, s.Content[i], s.Content[i+1])
			}
		}
	}
	m.Content = append(content, m.Content[at+2:]...)
	return nil
}

// noDuplicates rejects what the API server would reject, or two readers could
// understand differently.
func noDuplicates(m *yaml.Node) error {
	seen := make(map[string]bool, len(m.Content)/2)
	for i := 0; i+1 < len(m.Content); i += 2 {
		key := m.Content[i]
		if key.Kind != yaml.ScalarNode {
			return fmt.Errorf("line %d: a key is not a plain value", key.Line)
		}
		if seen[key.Value] {
			return fmt.Errorf("line %d: key %q is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
	}
	return nil
}
