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

// prefix is what the names of all our annotations begin with.
const prefix = "tlslift/"

// The annotations of a pod template that this package reads, and the two that
// it writes. Their values stand over the options.
const (
	AnnotationInject        = "tlslift/inject"         // "false": leave these pods alone
	AnnotationTransparent   = "tlslift/transparent"    // "true" or "false"
	AnnotationImage         = "tlslift/image"          // image of the sidecar
	AnnotationCASecret      = "tlslift/ca-secret"      // Secret with the signing CA; "" = none
	AnnotationConfigMap     = "tlslift/config-map"     // ConfigMap with tlslift.yaml; "" = the built-in configuration
	AnnotationContainers    = "tlslift/containers"     // names, separated by commas, of those that use the proxy
	AnnotationNoProxy       = "tlslift/no-proxy"       // hosts and .domains, separated by commas
	AnnotationPort          = "tlslift/port"           // where the application reaches the sidecar, 1 to 65535
	AnnotationAdminPort     = "tlslift/admin-port"     // metrics and probes
	AnnotationStatusPort    = "tlslift/status-port"    // status page and API, on loopback
	AnnotationCPURequest    = "tlslift/cpu-request"    // of the sidecar
	AnnotationMemoryRequest = "tlslift/memory-request" // of the sidecar
	AnnotationMemoryLimit   = "tlslift/memory-limit"   // of the sidecar

	AnnotationInjected = "tlslift/injected" // what was added, for the way back
	AnnotationConfig   = "tlslift/config"   // the sidecar's configuration
)

// The labels of a pod with a sidecar. LabelWorkload names it in the metrics,
// behind its namespace; one that is there already is kept.
const (
	LabelSidecar  = "tlslift/sidecar"  // "true"
	LabelWorkload = "tlslift/workload" // name of the workload
)

// override returns the options of one pod; wanted is false when it is to be
// left alone.
func (o Options) override(pod *yaml.Node) (out Options, wanted bool, err error) {
	annotations := walk(pod, "metadata", "annotations")
	wanted = true
	options := map[string]any{
		AnnotationInject: &wanted, AnnotationTransparent: &o.Transparent,
		AnnotationImage: &o.Image, AnnotationCASecret: &o.CASecret, AnnotationConfigMap: &o.ConfigMap,
		AnnotationContainers: &o.Containers, AnnotationNoProxy: &o.NoProxy,
		AnnotationPort: &o.Port, AnnotationAdminPort: &o.AdminPort, AnnotationStatusPort: &o.StatusPort,
		AnnotationCPURequest: &o.CPURequest, AnnotationMemoryRequest: &o.MemoryRequest, AnnotationMemoryLimit: &o.MemoryLimit,
	}
	if annotations == nil || annotations.Kind != yaml.MappingNode {
		return o, wanted, nil
	}
	for i := 0; i+1 < len(annotations.Content); i += 2 {
		key, value := annotations.Content[i].Value, annotations.Content[i+1]
		if !ours(key) || key == AnnotationInjected || key == AnnotationConfig {
			continue
		}
		switch option := options[key].(type) {
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
// its prefix is misspelled, or written as a domain.
func ours(key string) bool {
	domain, _, is := strings.Cut(key, "/")
	own := strings.TrimSuffix(prefix, "/")
	near := strings.HasPrefix(domain, own[:1]) && suggest.Nearest(domain, []string{own}) != ""
	return is && (near || strings.HasPrefix(domain, own+"."))
}

// misspelt says that there is no such annotation, and which there are, in order.
func misspelt(key string, known []string) string {
	for i, name := range known {
		known[i] = strings.TrimPrefix(name, prefix)
	}
	_, word, _ := strings.Cut(key, "/")
	if near := suggest.Nearest(word, known); near != "" {
		return "unknown annotation " + key + "; did you mean " + prefix + near + "?"
	}
	return "unknown annotation " + key + "; remove it; the annotations are " + prefix + strings.Join(known, ", "+prefix)
}

// misplaced refuses an annotation of ours above the pod template, where it has no
// effect.
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

// split cuts a list at its commas. An empty one is not nil: it names nobody.
func split(list string) []string {
	out := []string{}
	for _, entry := range strings.Split(list, ",") {
		if entry = strings.TrimSpace(entry); entry != "" {
			out = append(out, entry)
		}
	}
	return out
}
