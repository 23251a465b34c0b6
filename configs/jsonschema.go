package configs

import (
	_ "embed"
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Example is a configuration file with every key, its default and what it does.
//
//go:embed tlslift.yaml
var Example string

// schemaObject is a JSON schema (draft 7), which editors and Helm know.
type schemaObject map[string]any

// JSONSchema returns the schema of the configuration file. Its descriptions are
// the comments of Example. What it accepts can still be refused by Load, which
// alone compares keys with each other and reads files.
func JSONSchema() json.RawMessage {
	root := section(schema(), nil, exampleNode(), true)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Configuration of tlslift"
	text, _ := json.MarshalIndent(root, "", "  ") // maps, lists, texts and numbers
	return append(text, '\n')
}

// section is the schema of keys, with the comments of an example of them. One
// that may be empty may be without a value.
func section(keys []key, needs []string, example *yaml.Node, empty bool) schemaObject {
	properties := make(schemaObject, len(keys))
	for i := range keys {
		text, value := exampleOf(keys[i].name, example)
		properties[keys[i].name] = keys[i].describe(text, value)
	}
	s := schemaObject{"type": "object", "additionalProperties": false, "properties": properties}
	if empty {
		s["type"] = []string{"object", "null"}
	}
	if len(needs) > 0 {
		s["required"] = needs
	}
	return s
}

// describe is the schema of a key.
func (k *key) describe(comment string, example *yaml.Node) schemaObject {
	var s schemaObject
	if k.form == nil {
		s = section(k.keys, k.needs, firstEntry(k.shape, example), k.shape == plain)
	} else {
		s = make(schemaObject)
		for word, v := range k.form.schema {
			s[word] = v
		}
	}
	switch k.shape {
	case listed:
		alone := len(k.needs) == 1 // an entry, or the list, may be that value
		if alone {
			s = schemaObject{"anyOf": []schemaObject{s, keyNamed(k.keys, k.needs[0]).form.schema}}
		}
		list := schemaObject{"type": "array", "items": s, "maxItems": maxEntries}
		if k.empty != "" {
			list["minItems"] = 1
		}
		if s = list; alone {
			s = schemaObject{"anyOf": []schemaObject{list, keyNamed(k.keys, k.needs[0]).form.schema}}
		}
	case named:
		s = schemaObject{"type": "object", "propertyNames": clientName.schema, "additionalProperties": s}
	}
	if comment != "" {
		s["description"] = comment
	}
	if k.preset != nil {
		var v any
		_ = k.preset.Decode(&v) // it was read once
		s["default"] = v
	}
	return s
}

// commentedOut matches an example line of Example: a # and no space.
var commentedOut = regexp.MustCompile(`(?m)^( *)#([^ #!\n].*)$`)

// exampleNode is Example with all of its example lines in use.
func exampleNode() *yaml.Node {
	var document yaml.Node
	if err := yaml.Load(commentedOut.ReplaceAll([]byte(Example), []byte("$1$2")), &document); err != nil {
		panic(err) // Example is wrong
	}
	return document.Content[0]
}

// exampleOf finds the last value of a key in an example, and the comment on it.
func exampleOf(name string, section *yaml.Node) (comment string, value *yaml.Node) {
	for i := 0; section != nil && i+1 < len(section.Content); i += 2 {
		if k, v := section.Content[i], section.Content[i+1]; k.Value == name {
			text := strings.ReplaceAll(k.HeadComment+v.LineComment, "\n#", "\n")
			return strings.Join(strings.Fields(strings.TrimPrefix(text, "#")), " "), v
		}
	}
	return "", nil
}

// firstEntry is the first section of a list or map of them, and any other node
// as it is.
func firstEntry(how shape, n *yaml.Node) *yaml.Node {
	switch {
	case n == nil:
		return nil
	case how == listed:
		return n.Content[0]
	case how == named:
		return n.Content[1]
	default:
		return n
	}
}
