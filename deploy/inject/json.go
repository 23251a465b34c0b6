package inject

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// isJSON reports whether an object was written as JSON, as by kubectl get -o
// json: in braces, with its keys in double quotes.
func isJSON(object *yaml.Node) bool {
	return object.Kind == yaml.MappingNode && object.Style&yaml.FlowStyle != 0 && len(object.Content) > 0 &&
		object.Content[0].Style&yaml.DoubleQuotedStyle != 0
}

// writeJSON writes a node as JSON, indented like kubectl's, with the keys in
// their original order.
func writeJSON(out *bytes.Buffer, n *yaml.Node, indent string) error {
	switch n.Kind {
	case yaml.MappingNode:
		return writeAll(out, '{', '}', indent, len(n.Content)/2, func(i int, indent string) error {
			writeString(out, n.Content[2*i].Value)
			out.WriteString(": ")
			return writeJSON(out, n.Content[2*i+1], indent)
		})
	case yaml.SequenceNode:
		return writeAll(out, '[', ']', indent, len(n.Content), func(i int, indent string) error {
			return writeJSON(out, n.Content[i], indent)
		})
	case yaml.ScalarNode:
		writeScalar(out, n)
		return nil
	}
	return fmt.Errorf("line %d: not JSON", n.Line)
}

func writeAll(out *bytes.Buffer, open, end byte, indent string, n int, item func(int, string) error) error {
	const step = "    "
	out.WriteByte(open)
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + indent + step)
		if err := item(i, indent+step); err != nil {
			return err
		}
	}
	if n > 0 {
		out.WriteString("\n" + indent)
	}
	out.WriteByte(end)
	return nil
}

func writeScalar(out *bytes.Buffer, n *yaml.Node) {
	switch n.Tag {
	case "!!null":
		out.WriteString("null")
		return
	case "!!bool", "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			out.WriteString(n.Value)
			return
		}
	}
	writeString(out, n.Value)
}

func writeString(out *bytes.Buffer, s string) {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)           // cannot fail: a string, into a buffer
	out.Truncate(out.Len() - 1) // the encoder's line feed
}
