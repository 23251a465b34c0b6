package inject

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"tlslift/proxy/suggest"
)

// prefix is the start of all our annotations' names.
const prefix = "tlslift/"

// The annotations that this package writes to a pod template.
const (
	AnnotationInjected = "tlslift/injected" // what was added, for removing it
	AnnotationConfig   = "tlslift/config"   // the sidecar's configuration
)

// The labels of a pod with a sidecar. LabelWorkload is its name in the metrics,
// after its namespace; an existing one is kept.
const (
	LabelSidecar  = "tlslift/sidecar"  // "true"
	LabelWorkload = "tlslift/workload" // name of the workload
)

// override returns the options of one pod. If wanted is false, the pod should be
// left alone.
func (o Options) override(pod *yaml.Node) (out Options, wanted bool, err error) {
	annotations := walk(pod, "metadata", "annotations")
	wanted = true
	options := map[string]any{ // by the annotation's name after the prefix
		"inject":         &wanted, // "false": leave these pods alone
		"transparent":    &o.Transparent,
		"image":          &o.Image,
		"ca-secret":      &o.CASecret,
		"config-map":     &o.ConfigMap,
		"containers":     &o.Containers, // separated by commas, like the hosts of no-proxy
		"no-proxy":       &o.NoProxy,
		"port":           &o.Port,
		"admin-port":     &o.AdminPort,
		"status-port":    &o.StatusPort,
		"cpu-request":    &o.CPURequest,
		"memory-request": &o.MemoryRequest,
		"memory-limit":   &o.MemoryLimit,
	}
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return o, wanted, nil
	}
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		key, value := annotations.Content[i].Value, annotations.Content[i+1]
		if !ours(key) || key == AnnotationInjected || key == AnnotationConfig {
			continue
		}
		switch option := options[strings.TrimPrefix(key, prefix)].(type) {
		case *string:
			*option = text(value)
		case *int:
			if *option, err = strconv.Atoi(text(value)); err != nil {
				return o, false, fmt.Errorf("line %d: annotation %s is %q, not a port, 1 to 65535", value.Line, key, text(value))
			}
		case *[]string:
			*option = split(text(value))
		case *bool:
			if *option = text(value) == "true"; !*option && text(value) != "false" {
				return o, false, fmt.Errorf("line %d: annotation %s is %q, not \"true\" or \"false\"", value.Line, key, text(value))
			}
		default:
			return o, false, fmt.Errorf("line %d: %s", value.Line, misspelt(key, slices.Sorted(maps.Keys(options))))
		}
	}
	if err := o.validate(prefix); err != nil && wanted {
		return o, false, fmt.Errorf("line %d: annotations: %w", annotations.Line, err)
	}
	return o, wanted, nil
}

// ours reports whether an annotation is one of this package, or was meant to be:
// its prefix may be misspelled, or written as a domain.
func ours(key string) bool {
	domain, _, is := strings.Cut(key, "/")
	own := strings.TrimSuffix(prefix, "/")
	near := strings.HasPrefix(domain, own[:1]) && suggest.Nearest(domain, []string{own}) != ""
	return is && (near || strings.HasPrefix(domain, own+"."))
}

// misspelt says that there is no such annotation, and which ones there are.
func misspelt(key string, known []string) string {
	_, word, _ := strings.Cut(key, "/")
	if near := suggest.Nearest(word, known); near != "" {
		return "unknown annotation " + key + "; did you mean " + prefix + near + "?"
	}
	return "unknown annotation " + key + "; remove it; the annotations are " + prefix + strings.Join(known, ", "+prefix)
}

// misplaced rejects one of our annotations above the pod template, where
// it has no effect.
func misplaced(w workload) error {
	for i := range w.path {
		annotations := walk(walk(w.object, w.path[:i]...), "metadata", "annotations")
		if annotations == nil || annotations.Kind != yaml.MappingNode {
			continue
		}
		for j := 0; j+1 < len(annotations.Content); j += 2 {
			if key := annotations.Content[j]; strings.HasPrefix(key.Value, prefix) {
				return fmt.Errorf("line %d: annotation %s has no effect here: it belongs in %s.metadata.annotations", key.Line, key.Value, strings.Join(w.path, "."))
			}
		}
	}
	return nil
}

// split splits a list at its commas. An empty list becomes an empty slice
// rather than nil.
func split(list string) []string {
	out := []string{}
	for _, entry := range strings.Split(list, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			out = append(out, entry)
		}
	}
	return out
}
