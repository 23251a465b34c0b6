package inject

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// skip says why a pod is left alone although there is nothing wrong with it.
func skip(pod *yaml.Node) string {
	spec := get(pod, "spec")
	switch {
	case text(get(spec, "hostNetwork")) == "true":
		return "hostNetwork: its loopback is the node's"
	case text(walk(spec, "os", "name")) == "windows":
		return "a Windows pod"
	}
	return ""
}

// wantContainers rejects containers of the wrong kind.
func wantContainers(spec *yaml.Node) error {
	for _, key := range []string{"containers", "initContainers"} {
		list := get(spec, key)
		if isNull(list) {
			continue
		}
		if err := wantKind(list, yaml.SequenceNode, key); err != nil {
			return err
		}
		for _, c := range list.Content {
			if err := wantKind(c, yaml.MappingNode, "a container"); err != nil {
				return err
			}
		}
	}
	return nil
}

// collides returns an error if the sidecar conflicts with something in the pod.
func (o Options) collides(spec *yaml.Node) error {
	for _, list := range []string{"containers", "initContainers"} {
		for _, c := range items(get(spec, list)) {
			name := text(get(c, "name"))
			if name == ContainerName || name == RedirectName {
				return fmt.Errorf("line %d: there is a container %s that tlslift inject did not add", c.Line, name)
			}
			for _, p := range items(get(c, "ports")) {
				n, err := strconv.Atoi(text(get(p, "containerPort")))
				if err != nil {
					continue
				}
				for _, own := range o.ports() {
					if own.number == n {
						return fmt.Errorf("line %d: container %s has port %d, which the sidecar would take as its %s: %s", p.Line, name, n, own.name, own.remedy())
					}
				}
			}
		}
	}
	for _, name := range []string{configVolume, caVolume} {
		if v, _ := named(get(spec, "volumes"), name); v != nil {
			return fmt.Errorf("line %d: there is a volume %s that tlslift inject did not add", v.Line, name)
		}
	}
	return nil
}

// add injects the sidecar into a pod that does not have it, and returns notes
// about it. workload is the name of the pod's owner.
func (o Options) add(pod *yaml.Node, workload string) ([]string, error) {
	r := &record{Env: map[string][]string{}}
	spec := get(pod, "spec")
	if err := wantKind(spec, yaml.MappingNode, "spec"); err != nil {
		return nil, err
	}
	if err := wantContainers(spec); err != nil {
		return nil, err
	}
	if err := o.collides(spec); err != nil {
		return nil, err
	}
	var notes []string
	note := func(so bool, text string) {
		if so {
			notes = append(notes, text)
		}
	}
	note(!strings.Contains(o.Image, "/"), fmt.Sprintf("warning: image %s names no registry: unless the nodes have it already, they cannot pull it (ImagePullBackOff); "+
		"name yours with --image or the annotation %simage", o.Image, prefix))
	note(o.IPv4Only && !o.Transparent, "warning: --ipv4-only has no effect without --transparent or the annotation "+prefix+"transparent")
	const redirected = " have no effect with --transparent: the whole pod is redirected"
	note(o.Transparent && o.Containers != nil, "warning: --container and the annotation "+prefix+"containers"+redirected)
	note(o.Transparent && !slices.Equal(o.NoProxy, Default("").NoProxy), "warning: --no-proxy and the annotation "+prefix+"no-proxy"+redirected)
	if !o.Transparent {
		kept, err := o.addEnvironment(r, spec)
		if err != nil {
			return nil, err
		}
		notes = append(notes, kept...)
	}
	grace, err := strconv.Atoi(text(get(spec, "terminationGracePeriodSeconds")))
	note(err == nil && grace < 30, fmt.Sprintf("terminationGracePeriodSeconds is %d: the application's end and the sidecar's (at most 25 s) share it", grace))
	if err := o.addContainers(r, spec); err != nil {
		return nil, err
	}
	return notes, o.addMetadata(r, pod, workload)
}

func (o Options) addContainers(r *record, spec *yaml.Node) error {
	added, err := o.added()
	if err != nil {
		return err
	}
	for _, list := range []struct {
		key   string
		names *[]string
	}{{"volumes", &r.Volumes}, {"initContainers", &r.Init}} {
		there, err := r.ensure(spec, list.key, yaml.SequenceNode)
		if err != nil {
			return err
		}
		nodes := items(get(added, list.key))
		prepend(there, nodes...)
		*list.names = namesOf(nodes)
	}
	return nil
}

// addMetadata writes labels and annotations, the record last.
func (o Options) addMetadata(r *record, pod *yaml.Node, workload string) error {
	metadata, err := r.ensure(pod, "metadata", yaml.MappingNode)
	if err != nil {
		return err
	}
	labels, err := r.ensure(metadata, "labels", yaml.MappingNode)
	if err != nil {
		return err
	}
	for _, l := range [][2]string{{LabelWorkload, labelValue(workload)}, {LabelSidecar, "true"}} {
		if get(labels, l[0]) == nil {
			insertKey(labels, "", l[0], scalar(l[1]))
			r.Labels = append(r.Labels, l[0])
		}
	}
	annotations, err := r.ensure(metadata, "annotations", yaml.MappingNode)
	if err != nil {
		return err
	}
	if o.ConfigMap == "" {
		insertKey(annotations, "", AnnotationConfig, scalar(o.config()))
		r.Config = true
	}
	insertKey(annotations, "", AnnotationInjected, scalar(r.encode()))
	return nil
}

var notLabel = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// labelValue turns a name into a label value of at most 63 characters, beginning
// and ending with a letter or digit.
func labelValue(name string) string {
	const ends = "_.-"
	name = strings.Trim(notLabel.ReplaceAllString(name, "-"), ends)
	if len(name) > 63 {
		name = strings.TrimRight(name[:63], ends)
	}
	if name == "" {
		return "unnamed"
	}
	return name
}
