package inject

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// javaVariable is read by every JVM; JVMs ignore the other variables.
const javaVariable = "JAVA_TOOL_OPTIONS"

type variable struct{ Name, Value string }

// environment returns the variables that configure the proxy. libcurl reads only
// the lower-case http_proxy, and other programs only the upper-case one.
func (o Options) environment() []variable {
	proxy := fmt.Sprintf("http://127.0.0.1:%d", o.Port)
	except := strings.Join(o.NoProxy, ",")
	return []variable{
		{Name: "http_proxy", Value: proxy},
		{Name: "HTTP_PROXY", Value: proxy},
		{Name: "https_proxy", Value: proxy},
		{Name: "HTTPS_PROXY", Value: proxy},
		{Name: "no_proxy", Value: except},
		{Name: "NO_PROXY", Value: except},
		{Name: javaVariable, Value: o.javaOptions()},
	}
}

// javaOptions returns the system properties that say the same to a JVM.
func (o Options) javaOptions() string {
	var except []string
	for _, host := range o.NoProxy {
		switch {
		case strings.HasPrefix(host, "."):
			host = "*" + host
		case strings.Contains(host, ":"):
			host = "[" + host + "]"
		}
		except = append(except, host)
	}
	options := fmt.Sprintf("-Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=%[1]d -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=%[1]d", o.Port)
	if len(except) > 0 {
		options += " -Dhttp.nonProxyHosts=" + strings.Join(except, "|")
	}
	return options
}

// addEnvironment sets the proxy variables of the application's containers. It
// keeps variables that are already set.
func (o Options) addEnvironment(r *record, spec *yaml.Node) ([]string, error) {
	wanted := items(get(spec, "containers"))
	if o.Containers != nil {
		all := append(slices.Clone(wanted), items(get(spec, "initContainers"))...)
		wanted = nil
		for _, name := range o.Containers {
			i := slices.IndexFunc(all, func(c *yaml.Node) bool { return text(get(c, "name")) == name })
			if i < 0 {
				return nil, fmt.Errorf("line %d: --container or the annotation %s: there is no container %s; the containers are %s", spec.Line, prefix+"containers", name, strings.Join(namesOf(all), ", "))
			}
			wanted = append(wanted, all[i])
		}
	}
	var notes []string
	for _, c := range wanted {
		kept, err := o.addVariables(r, c)
		if err != nil {
			return nil, err
		}
		notes = append(notes, kept...)
	}
	return notes, nil
}

func (o Options) addVariables(r *record, c *yaml.Node) (notes []string, err error) {
	name := text(get(c, "name"))
	if name == "" {
		return nil, fmt.Errorf("line %d: a container has no name", c.Line)
	}
	if _, twice := r.Env[name]; twice {
		return nil, fmt.Errorf("line %d: container %s is there twice", c.Line, name)
	}
	env, err := r.ensure(c, "env", yaml.SequenceNode)
	if err != nil {
		return nil, err
	}
	var nodes []*yaml.Node
	for _, v := range o.environment() {
		if old, _ := named(env, v.Name); old != nil {
			notes = append(notes, fmt.Sprintf("container %s sets %s itself, which stays; tlslift would have set %q", name, v.Name, v.Value))
			continue
		}
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{scalar("name"), scalar(v.Name)}}
		if v.Value != "" {
			n.Content = append(n.Content, scalar("value"), scalar(v.Value))
		}
		nodes, r.Env[name] = append(nodes, n), append(r.Env[name], v.Name)
	}
	prepend(env, nodes...)
	return notes, nil
}
