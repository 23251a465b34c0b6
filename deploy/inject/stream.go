package inject

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Action is what was done to an object.
type Action int

// The actions.
const (
	Injected Action = iota // the sidecar was added or updated
	Removed                // the sidecar was removed
	Skipped                // a workload that was left alone; Notes says why
)

func (a Action) String() string {
	return [...]string{Injected: "injected", Removed: "sidecar removed", Skipped: "skipped"}[a]
}

// Result says what happened to one workload.
type Result struct {
	Kind, Namespace, Name string
	Action                Action
	Notes                 []string // for a person
}

// Inject adds the sidecar to every workload in a stream of YAML or JSON
// documents, or updates it. Documents without a workload are returned unchanged.
// Errors name the document, the object and the line; then nothing is returned.
func Inject(in []byte, o Options) ([]byte, []Result, error) {
	if err := o.Validate(); err != nil {
		return nil, nil, err
	}
	return edit(in, o.object)
}

// Uninject removes what Inject added, according to the record in the pods'
// annotations. It leaves pods without a record alone.
func Uninject(in []byte) ([]byte, []Result, error) {
	return edit(in, func(object *yaml.Node) ([]Result, error) {
		return eachWorkload(object, func(w workload) (Action, []string, error) {
			removed, err := remove(w.pod)
			if !removed {
				return Skipped, []string{"nothing was injected"}, err
			}
			return Removed, nil, err
		})
	})
}

// object injects into one object, or the objects of a List, in place. Aliases must
// already be written out. An object that is not a workload gives no result.
func (o Options) object(object *yaml.Node) ([]Result, error) {
	return eachWorkload(object, func(w workload) (Action, []string, error) {
		if err := misplaced(w); err != nil {
			return Skipped, nil, err
		}
		own, wanted, err := o.override(w.pod)
		if err != nil {
			return Skipped, nil, err
		}
		removed, err := remove(w.pod)
		if err != nil {
			return Skipped, nil, err
		}
		why := skip(w.pod)
		if !wanted {
			why = "annotation " + prefix + "inject is false"
		}
		switch {
		case why != "" && removed:
			return Removed, []string{why}, nil
		case why != "":
			return Skipped, []string{why}, nil
		}
		notes, err := own.add(w.pod, w.name)
		return Injected, notes, err
	})
}

// workload is an object that creates pods, or is one.
type workload struct {
	object *yaml.Node
	pod    *yaml.Node // the template of its pods
	path   []string   // from the object to the template
	name   string
}

// eachWorkload calls do with each workload in an object.
func eachWorkload(object *yaml.Node, do func(workload) (Action, []string, error)) ([]Result, error) {
	var all []Result
	for _, o := range objectsOf(object) {
		pod, path, err := templateOf(o)
		if pod == nil && err == nil {
			continue
		}
		metadata := get(o, "metadata")
		r := Result{Kind: text(get(o, "kind")), Namespace: text(get(metadata, "namespace")), Name: text(get(metadata, "name"))}
		if r.Name == "" {
			r.Name = text(get(metadata, "generateName"))
		}
		if err == nil {
			r.Action, r.Notes, err = do(workload{o, pod, path, r.Name})
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimSpace(r.Kind+" "+r.Name), err)
		}
		all = append(all, r)
	}
	return all, nil
}

// edit applies an edit to each document of a stream.
func edit(in []byte, do func(*yaml.Node) ([]Result, error)) ([]byte, []Result, error) {
	var out bytes.Buffer
	var all []Result
	for i, doc := range documents(in) {
		data, results, err := editDocument(doc, do)
		if err != nil {
			return nil, nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		out.Write(data)
		all = append(all, results...)
	}
	return out.Bytes(), all, nil
}

// editDocument returns the original document if the edit changes nothing.
func editDocument(doc document, do func(*yaml.Node) ([]Result, error)) ([]byte, []Result, error) {
	root, err := parse(doc)
	if err != nil || root == nil || !concerns(root.Content[0]) {
		return doc.raw, nil, err
	}
	object, err := expand(root.Content[0])
	if err != nil {
		return nil, nil, err
	}
	before := clone(object)
	results, err := do(object)
	if err != nil {
		return nil, nil, err
	}
	if equal(before, object) {
		return doc.raw, results, nil
	}
	root.Content[0] = object
	data, err := doc.encode(root)
	return data, results, err
}

// parse parses a document; it returns nil if that holds nothing but comments.
// Lines are counted from the start of the stream.
func parse(doc document) (*yaml.Node, error) {
	root := new(yaml.Node)
	dec := yaml.NewDecoder(bytes.NewReader(doc.raw))
	err := dec.Decode(root)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("from line %d: %w", doc.line, err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("from line %d: more follows the end of the document, without a line ---", doc.line)
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		return nil, nil
	}
	shift(root, doc.line-1)
	return root, nil
}

func shift(n *yaml.Node, lines int) {
	n.Line += lines
	for _, c := range n.Content {
		shift(c, lines)
	}
}
