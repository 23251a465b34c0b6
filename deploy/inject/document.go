package inject

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v4"
)

// document is one document of a stream, including its marker line.
type document struct {
	raw  []byte
	line int // in the stream, from 1
}

// documents splits a stream at its markers. A line that begins with --- is a
// marker wherever it is (YAML 1.2, 9.1.2), so documents that are not edited need
// not be parsed.
func documents(in []byte) []document {
	var docs []document
	start, startLine, line := 0, 1, 1
	for at := 0; at < len(in); line++ {
		end := len(in)
		if i := bytes.IndexByte(in[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if at > start && isMarker(in[at:end]) && !onlyDirectives(in[start:at]) {
			docs = append(docs, document{in[start:at], startLine})
			start, startLine = at, line
		}
		at = end
	}
	if start < len(in) {
		docs = append(docs, document{in[start:], startLine})
	}
	return docs
}

func isMarker(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

// onlyDirectives reports whether text belongs to the document that begins at the
// marker after it: %YAML and %TAG lines, with comments and empty lines.
func onlyDirectives(text []byte) bool {
	some := false
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, " \t\r\n")
		switch {
		case len(line) == 0 || line[0] == '#':
		case line[0] == '%':
			some = true
		default:
			return false
		}
	}
	return some
}

// encode writes the edited document in its original style.
func (d document) encode(root *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	if isMarker(firstLine(d.raw)) {
		out.WriteString("---\n")
	}
	if isJSON(root.Content[0]) {
		if err := writeJSON(&out, root.Content[0], ""); err != nil {
			return nil, err
		}
		out.WriteByte('\n')
		return out.Bytes(), nil
	}
	spellNulls(root, false)
	indent, compact := style(root.Content[0])
	text, err := yaml.Dump(root, yaml.WithV3Defaults(), yaml.WithLineWidth(-1), yaml.WithIndent(indent), yaml.WithCompactSeqIndent(compact))
	if err != nil {
		return nil, fmt.Errorf("encode the document: %w", err)
	}
	out.Write(text)
	return out.Bytes(), nil
}

// spellNulls writes out nulls that are left blank within braces and brackets,
// because the encoder would turn them into empty strings.
func spellNulls(n *yaml.Node, flow bool) {
	flow = flow || n.Style&yaml.FlowStyle != 0
	if flow && n.Kind == yaml.ScalarNode && n.Tag == "!!null" && n.Value == "" {
		n.Value = "null"
	}
	for _, c := range n.Content {
		spellNulls(c, flow)
	}
}

func firstLine(text []byte) []byte {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		return text[:i]
	}
	return text
}

// style determines how a document is indented: by how much, and whether the items
// of a list are directly below its key (compact) or further in.
func style(n *yaml.Node) (indent int, compact bool) {
	var walk func(n *yaml.Node) bool
	indent = 0
	compactKnown := false
	walk = func(n *yaml.Node) bool {
		if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 {
			for i := 0; i+1 < len(n.Content); i += 2 {
				key, value := n.Content[i], n.Content[i+1]
				// What was added has no position in the source.
				if key.Column == 0 || value.Column == 0 || value.Style&yaml.FlowStyle != 0 {
					continue
				}
				if value.Kind == yaml.MappingNode && indent == 0 && value.Column > key.Column {
					indent = value.Column - key.Column
				}
				if value.Kind == yaml.SequenceNode && !compactKnown {
					compact, compactKnown = value.Column == key.Column, true
				}
			}
		}
		for _, c := range n.Content {
			if indent > 0 && compactKnown || walk(c) {
				return true
			}
		}
		return false
	}
	walk(n)
	if indent < 2 || indent > 8 {
		indent = 2
	}
	return indent, compact
}
