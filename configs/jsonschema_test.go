package configs

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

// validator is the JSON schema, whose defaults are valid.
func validator(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(JSONSchema(), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// asJSON is a node as an editor has it, by YAML's core schema: dates are text.
func asJSON(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any)
		for i := 0; i+1 < len(n.Content); i += 2 {
			object[n.Content[i].Value] = asJSON(n.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, entry := range n.Content {
			list = append(list, asJSON(entry))
		}
		return list
	case yaml.AliasNode:
		return asJSON(n.Alias)
	}
	switch n.ShortTag() {
	case nullTag:
		return nil
	case boolTag:
		return strings.EqualFold(n.Value, "true")
	case intTag, numTag:
		number, _ := strconv.ParseFloat(n.Value, 64)
		return number
	default:
		return n.Value
	}
}

func validate(s *jsonschema.Resolved, content string) error {
	var document yaml.Node
	switch err := yaml.NewDecoder(strings.NewReader(content)).Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	}
	return s.Validate(asJSON(document.Content[0]))
}

func TestJSONSchemaAcceptsWhatIsValid(t *testing.T) {
	t.Parallel()
	s := validator(t)
	all := map[string]string{
		"every value": everyValue,
		"every line":  string(commentedOut.ReplaceAll([]byte(exampleFile), []byte("$1$2"))),
		"plain":       "listen: 127.0.0.1:3128\nupstreams: [api.smsportal.com, {host: '*.example'}]",
		"sections":    "admin:\nlimits:\nlog: {}",
		"no unit":     "limits: {body_bytes: 4096, drain_delay: 0s}",
	}
	presets, err := filepath.Glob("*.yaml")
	if err != nil || len(presets) < 3 {
		t.Fatalf("%v, %v", presets, err)
	}
	for _, name := range append(presets, "../docs/configuration.md") {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(content)
		for i, example := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1) {
			all[name+" "+strconv.Itoa(i)] = example[1]
		}
	}
	delete(all, "../docs/configuration.md")
	for name, content := range all {
		if err := validate(s, content); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// onlyLoad are the files of testdata/invalid that a schema cannot refuse: what
// is wrong is between two keys, in a file, or in the meaning of a text.
var onlyLoad = strings.Fields(`
admin-off admin-open admin-public-same admin-same-address connections-per-client default-upstream default-upstream-misspelt default-upstream-misspelt
drain drain-timeout empty-ca half-a-ca label-limit legacy-without-ca other-half-of-a-ca parent-proxy-except
parent-proxy-user same-address same-upstream transparent unauthenticated-without-users users-without-a-way
broken-second-document duplicate-key memory state-itself state-key target target-day target-year two-documents
`)

func TestJSONSchemaRefusesWhatItCan(t *testing.T) {
	t.Parallel()
	s := validator(t)
	files, _ := filepath.Glob("testdata/invalid/*.yaml")
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		err = validate(s, string(content))
		if only := slices.Contains(onlyLoad, name); (err == nil) != only {
			t.Errorf("%s: %v, only Load can know: %v", name, err, only)
		}
	}
}

// TestJSONSchemaIsDescribed: each key has a comment in exampleFile, its own or that of
// a key above it which has no other keys to explain.
func TestJSONSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	var s struct {
		Properties map[string]struct {
			Description string
			Default     any
			Properties  map[string]struct {
				Description string
				Default     any
				Minimum     float64
				Maximum     float64
			}
		}
	}
	if err := json.Unmarshal(JSONSchema(), &s); err != nil {
		t.Fatal(err)
	}
	if got := s.Properties["limits"].Properties["connections"]; got.Default != 4096.0 || got.Minimum != 1 || got.Maximum != 1_000_000 {
		t.Errorf("limits.connections: %+v", got)
	}
	if got := s.Properties["clients"].Properties["workload"].Description; got != "Everything on this instance is this one client (sidecar). Excludes names." {
		t.Errorf("clients.workload: %q", got)
	}
	for name, p := range s.Properties {
		if p.Description == "" && name != "log" {
			t.Errorf("%s has no description", name)
		}
	}
}
