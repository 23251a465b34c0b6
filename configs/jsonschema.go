package configs

import (
	_ "embed"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// exampleFile is a configuration file with every key, its default and its
// description.
//
//go:embed tlslift.yaml
var exampleFile string

// schemaObject is a JSON schema (draft 7), which editors and Helm support.
type schemaObject map[string]any

// JSONSchema returns the schema of the configuration file. Its descriptions are
// the comments of tlslift.yaml. Load may still reject what the schema accepts,
// because only Load compares keys with each other and reads files.
func JSONSchema() json.RawMessage {
	inUse := commentedOut.ReplaceAllString(exampleFile, "$1$2")
	root := schema().section(nodeOf(inUse))
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Configuration of tlslift"
	text, _ := json.MarshalIndent(root, "", "  ") // cannot fail: only maps, lists, strings and numbers
	return append(text, '\n')
}

// section returns the schema of the keys below k, with the comments from an
// example of them.
func (k *key) section(example *yaml.Node) schemaObject {
	properties := make(schemaObject, len(k.keys))
	for i := range k.keys {
		properties[k.keys[i].name] = k.keys[i].describe(exampleOf(k.keys[i].name, example))
	}
	s := schemaObject{"type": "object", "additionalProperties": false, "properties": properties}
	if k.mayBeEmpty() {
		s["type"] = []string{"object", "null"}
	}
	if len(k.needs) > 0 {
		s["required"] = k.needs
	}
	return s
}

// describe returns the schema of a key.
func (k *key) describe(comment string, example *yaml.Node) schemaObject {
	var s schemaObject
	if k.form != nil {
		s = maps.Clone(k.form.schema)
	} else {
		entry := map[reflect.Kind]int{reflect.Slice: 0, reflect.Map: 1} // index of the first entry
		if i, several := entry[k.kind]; several && example != nil {
			example = example.Content[i]
		}
		s = k.section(example)
	}
	orAlone := func(s schemaObject) schemaObject { // an entry, or the list, may be just the value that it needs
		if k.alone == nil {
			return s
		}
		return schemaObject{"anyOf": []schemaObject{s, k.alone.form.schema}}
	}
	switch k.kind {
	case reflect.Slice:
		list := schemaObject{"type": "array", "items": orAlone(s), "maxItems": maxEntries}
		if k.Get("empty") != "" {
			list["minItems"] = 1
		}
		s = orAlone(list)
	case reflect.Map:
		s = schemaObject{"type": "object", "propertyNames": clientName.schema, "additionalProperties": s}
	}
	if comment != "" {
		s["description"] = comment
	}
	if k.preset != nil {
		var v any
		_ = k.preset.Decode(&v) // cannot fail: it has been decoded before
		s["default"] = v
	}
	return s
}

// commentedOut matches an example line of exampleFile that begins with #
// and no space.
var commentedOut = regexp.MustCompile(`(?m)^( *)#([^ #!\n].*)$`)

// exampleOf finds a key in an example, and returns its comment and value.
func exampleOf(name string, section *yaml.Node) (comment string, value *yaml.Node) {
	for i := 0; section != nil && i+1 < len(section.Content); i += 2 {
		if k, v := section.Content[i], section.Content[i+1]; k.Value == name {
			text := strings.ReplaceAll(k.HeadComment+v.LineComment, "\n#", "\n")
			return strings.Join(strings.Fields(strings.TrimPrefix(text, "#")), " "), v
		}
	}
	return "", nil
}
