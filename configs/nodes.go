package configs

import (
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// The tags of YAML's core schema that values can have, in yaml's short form.
const (
	nullTag = "!!null"
	boolTag = "!!bool"
	strTag  = "!!str"
	intTag  = "!!int"
	numTag  = "!!float"
	timeTag = "!!timestamp"
)

// anyTag lists what a word can be taken for: 1.2 is a number to YAML.
func anyTag() []string { return []string{strTag, intTag, numTag, boolTag, timeTag} }

// maxEntries bounds a list.
const maxEntries = 10_000

// pair is one key of a mapping and its value.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the keys of a mapping, each once; none for a null. The second
// value is false when the node is no mapping, which has been reported then.
func (l *loader) pairs(at string, n *yaml.Node) ([]pair, bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == nullTag {
		return nil, true
	}
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		l.reject(at, faultf("write its keys below it, indented", "%s is not a section of keys", shapeOf(n)))
		return nil, false
	}
	var found []pair
	first := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" {
			l.report(Problem{l.file, k.Line, at, shapeOf(k) + " is not a key", "write the keys out"})
			continue
		}
		if line, twice := first[k.Value]; twice {
			l.report(Problem{
				l.file, k.Line, keyOf(at, k.Value),
				"is given twice, first in line " + strconv.Itoa(line), "remove one of them",
			})
			continue
		}
		first[k.Value] = k.Line
		found = append(found, pair{k.Value, k, n.Content[i+1]})
	}
	return found, true
}

// elements returns the nodes of a list; false when the node is none, which has
// been reported then, with the fix.
func (l *loader) elements(at string, n *yaml.Node, fix string) ([]*yaml.Node, bool) {
	switch {
	case n.Kind == yaml.SequenceNode && n.ShortTag() == "!!seq" && len(n.Content) > maxEntries:
		l.reject(at, faultf("shorten it", "has %d entries, more than %d", len(n.Content), maxEntries))
	case n.Kind == yaml.SequenceNode && n.ShortTag() == "!!seq":
		return n.Content, true
	case n.Kind == yaml.ScalarNode && n.ShortTag() == nullTag:
		l.reject(at, &fault{"has no value", fix + ", or remove the key"})
	default:
		l.reject(at, faultf(fix, "%s is not a list", shapeOf(n)))
	}
	return nil, false
}

// scalar reads one value of a kind; false when it is none, which has been
// reported then.
func scalar[T any](l *loader, at string, n *yaml.Node, k kind[T]) (T, bool) {
	var none T
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == nullTag:
		l.reject(at, &fault{"has no value", k.advice() + ", or remove the key"})
		return none, false
	case n.Kind != yaml.ScalarNode:
		l.reject(at, faultf(k.advice(), "%s is not %s", shapeOf(n), k.noun))
		return none, false
	case !slices.Contains(anyTag(), n.ShortTag()):
		l.reject(at, faultf("remove the tag", "is tagged %s", printable(n.ShortTag())))
		return none, false
	case !slices.Contains(k.tags, n.ShortTag()):
		l.reject(at, k.mistyped(n))
		return none, false
	}
	v, f := k.parse(n.Value)
	if f != nil {
		l.reject(at, k.complete(f))
		return none, false
	}
	return v, true
}

// shapeOf names what a node is, for messages.
func shapeOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		if n.ShortTag() != "!!map" {
			return "a value tagged " + printable(n.ShortTag())
		}
		return "a section of keys"
	case yaml.SequenceNode:
		if n.ShortTag() != "!!seq" {
			return "a value tagged " + printable(n.ShortTag())
		}
		return "a list"
	case yaml.AliasNode:
		return "an alias (*" + printable(n.Value) + ")"
	}
	switch n.ShortTag() {
	case "!!merge":
		return "a merge (<<)"
	case boolTag:
		return "true or false"
	case intTag, numTag:
		return "a number"
	case timeTag:
		return "a date"
	case strTag:
		return "text"
	case nullTag:
		return "nothing"
	default:
		return "a value tagged " + printable(n.ShortTag())
	}
}
