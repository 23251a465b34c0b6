package inject

import "go.yaml.in/yaml/v4"

// remove removes what was injected into a pod, and reports whether there was
// anything. What others have added or changed since stays.
func remove(pod *yaml.Node) (bool, error) {
	r, err := readRecord(pod)
	if r == nil || err != nil {
		return false, err
	}
	spec := get(pod, "spec")
	for _, list := range []string{"initContainers", "containers"} {
		for _, c := range items(get(spec, list)) {
			removeEnv(r, c)
		}
	}
	for _, name := range r.Init {
		removeNamed(get(spec, "initContainers"), name)
	}
	for _, name := range r.Volumes {
		removeNamed(get(spec, "volumes"), name)
	}
	r.drop(spec, "initContainers")
	r.drop(spec, "volumes")

	metadata := get(pod, "metadata")
	annotations, labels := get(metadata, "annotations"), get(metadata, "labels")
	removeKey(annotations, AnnotationInjected)
	if r.Config {
		removeKey(annotations, AnnotationConfig)
	}
	for _, label := range r.Labels {
		removeKey(labels, label)
	}
	r.drop(metadata, "annotations")
	r.drop(metadata, "labels")
	r.drop(pod, "metadata")
	return true, nil
}

func removeEnv(r *record, container *yaml.Node) {
	name := text(get(container, "name"))
	env := get(container, "env")
	for _, variable := range r.Env[name] {
		removeNamed(env, variable)
	}
	r.drop(container, "env")
}
