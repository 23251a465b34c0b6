package inject_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tlslift/configs"
	"tlslift/deploy/inject"
)

// pod is a manifest with lines put into the pod's annotations and spec.
func pod(annotations, spec string) string {
	p := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n"
	if annotations != "" {
		p += "  annotations:\n    " + annotations + "\n"
	}
	return p + "spec:\n" + spec + "  containers:\n    - name: app\n      image: a:1\n"
}

func TestRefused(t *testing.T) {
	t.Parallel()
	o := options()
	tests := map[string]struct {
		in   string
		want string // in the error
	}{
		"misspelt annotation":    {pod("tlslift/imgae: x", ""), "unknown annotation tlslift/imgae; did you mean tlslift/image?"},
		"misspelt with a hyphen": {pod("tlslift/ca_secrt: x", ""), "unknown annotation tlslift/ca_secrt; did you mean tlslift/ca-secret?"},
		"unknown annotation":     {pod("tlslift/colour: x", ""), "unknown annotation tlslift/colour; remove it; the annotations are tlslift/admin-port, tlslift/ca-secret, tlslift/config-map, tlslift/containers, tlslift/cpu-request, tlslift/image, tlslift/inject, "},
		"a domain as prefix":     {pod("tlslift.io/inject: 'false'", ""), "unknown annotation tlslift.io/inject; did you mean tlslift/inject?"},
		"misspelt prefix":        {pod("tslift/inject: 'false'", ""), "unknown annotation tslift/inject; did you mean tlslift/inject?"},
		"neither true nor false": {pod("tlslift/inject: 'no'", ""), `annotation tlslift/inject is "no"`},
		"bad quantity":           {pod("tlslift/memory-limit: lots", ""), `annotations: tlslift/memory-limit "lots" is not a quantity such as 64Mi`},
		"bad CPU quantity":       {pod("tlslift/cpu-request: ten", ""), `tlslift/cpu-request "ten" is not a quantity such as 10m`},
		"a limit below":          {pod("tlslift/memory-limit: 16M", ""), "tlslift/memory-limit 16M is below tlslift/memory-request, which is 32Mi"},
		"annotations of the object": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n    tlslift/inject: 'false'\nspec: {template: {spec: {}}}\n",
			"line 5: annotation tlslift/inject has no effect here: it belongs in spec.template.metadata.annotations",
		},
		"annotations of a CronJob's job": {
			"apiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate:\n    metadata: {annotations: {tlslift/image: x}}\n    spec: {template: {spec: {}}}\n",
			"line 5: annotation tlslift/image has no effect here: it belongs in spec.jobTemplate.spec.template.metadata.annotations",
		},
		"bad image":               {pod("tlslift/image: 'a b'", ""), "is not the name of an image"},
		"bad secret":              {pod("tlslift/ca-secret: A_B", ""), "is not the name of a Kubernetes object"},
		"no such container":       {pod("tlslift/containers: web", ""), "--container or the annotation tlslift/containers: there is no container web; the containers are app"},
		"foreign record":          {pod("tlslift/injected: 'yes'", ""), "is not what tlslift inject wrote"},
		"a container of our name": {pod("", "  initContainers:\n    - name: tlslift\n"), "line 7: there is a container tlslift"},
		"a volume of our name":    {pod("", "  volumes:\n    - name: tlslift-config\n"), "line 7: there is a volume tlslift-config"},
		"the admin port":          {pod("", "  initContainers:\n    - name: x\n      ports:\n        - containerPort: 9129\n"), "container x has port 9129"},
		"the proxy port":          {pod("", "  initContainers:\n    - name: x\n      ports: [{containerPort: 3128}]\n"), "container x has port 3128"},
		"the status port":         {pod("", "  initContainers:\n    - name: x\n      ports: [{containerPort: 9128}]\n"), "container x has port 9128, which the sidecar would take as its status port: --status-port or the annotation tlslift/status-port"},
		"a port of its own":       {pod("tlslift/port: '9128'", ""), "port and status port are both 9128: --status-port"},
		"no port":                 {pod("tlslift/port: http", ""), `annotation tlslift/port is "http", not a port, 1 to 65535`},
		"containers of no list":   {"apiVersion: v1\nkind: Pod\nspec:\n  volumes: {}\n", "line 4: volumes is not a list"},
		"labels of no mapping":    {"apiVersion: v1\nkind: Pod\nmetadata:\n  labels: [a]\nspec: {}\n", "line 4: labels is not a mapping"},
		"spec of no mapping":      {"apiVersion: v1\nkind: Pod\nspec: 1\n", "line 3: spec is not a mapping"},
		"containers of a word":    {"a: 1\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: x\n", "document 2: Pod p: line 7: containers is not a list"},
		"a container of a number": {"apiVersion: v1\nkind: Pod\nmetadata: {annotations: {tlslift/transparent: 'true'}}\nspec: {containers: [1]}\n", "line 4: a container is not a mapping"},
		"an init container":       {"apiVersion: v1\nkind: Pod\nspec: {initContainers: [x]}\n", "line 3: a container is not a mapping"},
		"a template of a number":  {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: 5}\n", "document 1: Deployment d: line 4: spec.template is not a mapping"},
		"a Deployment of a list":  {"apiVersion: apps/v1\nkind: Deployment\nspec: []\n", "Deployment: line 3: spec is not a mapping"},
		"a job of a word":         {"apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {jobTemplate: x}\n", "CronJob c: line 4: spec.jobTemplate is not a mapping"},
		"items of a number":       {"apiVersion: v1\nkind: List\nitems: 5\n", "List: line 3: items is not a list"},
		"a template in a List":    {"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: 5}}\n", "Deployment d: line 4: spec.template is not a mapping"},
		"a nameless container":    {"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - image: x\n", "a container has no name"},
		"a container twice":       {"apiVersion: v1\nkind: Pod\nspec:\n  containers: [{name: x}, {name: x}]\n", "container x is there twice"},
		"a key twice":             {"apiVersion: v1\nkind: Pod\nspec: {}\nspec: {}\n", `key "spec" is there twice`},
		"not YAML":                {"a: 1\n---\na: [\n", "document 2: from line 2"},
		"hidden behind an end":    {"apiVersion: v1\nkind: Pod\nspec: {}\n...\nb: 1\n", "more follows"},
		"in itself":               {"apiVersion: v1\nkind: Pod\nspec: &s\n  a: *s\n", "nested deeper"},
		"aliases that multiply":   {bomb(), "aliases written out"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, _, err := inject.Inject([]byte(tt.in), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q; out:\n%s", err, tt.want, out)
			}
		})
	}
}

func bomb() string {
	b := "apiVersion: v1\nkind: Pod\nspec:\n  a0: &a0 [x]\n"
	for i := range 9 {
		n, next := string(rune('0'+i)), string(rune('1'+i))
		b += "  a" + next + ": &a" + next + " [" + strings.Repeat("*a"+n+",", 9) + "]\n"
	}
	return b
}

func TestOptions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(*inject.Options)
		want   string
	}{
		"no image":          {func(o *inject.Options) { o.Image = "" }, `--image ""`},
		"port 0":            {func(o *inject.Options) { o.Port = 0 }, "--port 0 is not between"},
		"one port":          {func(o *inject.Options) { o.AdminPort = o.Port }, "both 3128"},
		"the status page's": {func(o *inject.Options) { o.Port = inject.DefaultStatusPort }, "port and status port are both 9128"},
		"privileged port":   {func(o *inject.Options) { o.Transparent, o.Port = true, 80 }, "privileged"},
		"a URL":             {func(o *inject.Options) { o.NoProxy = []string{"http://foo/"} }, `--no-proxy "http://foo/" is a URL: write the host alone, such as foo`},
		"CPU":               {func(o *inject.Options) { o.CPURequest = "ten" }, `--cpu-request "ten" is not a quantity such as 10m`},
		"a limit below":     {func(o *inject.Options) { o.MemoryRequest = "0.0625Gi"; o.MemoryLimit = "63.9Mi" }, "--memory-limit 63.9Mi is below --memory-request, which is 0.0625Gi"},
		"no-proxy":          {func(o *inject.Options) { o.NoProxy = []string{"a b"} }, "not a host or domain"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options()
			tt.change(&o)
			if _, _, err := inject.Inject(nil, o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v does not say %q", err, tt.want)
			}
		})
	}
}

// at returns the value at a path; list items are found by their name.
func at(t *testing.T, in []byte, path ...string) *yaml.Node {
	t.Helper()
	var n *yaml.Node
	root := new(yaml.Node)
	if err := yaml.Unmarshal(in, root); err != nil {
		t.Fatal(err)
	}
	n = root.Content[0]
	for _, key := range path {
		var next *yaml.Node
		for i, c := range n.Content {
			switch {
			case n.Kind == yaml.MappingNode && i%2 == 0 && c.Value == key:
				next = n.Content[i+1]
			case n.Kind == yaml.SequenceNode && len(c.Content) > 1 && c.Content[1].Value == key:
				next = c
			}
		}
		if n = next; n == nil {
			return nil
		}
	}
	return n
}

func TestAnnotationsStandOverOptions(t *testing.T) {
	t.Parallel()
	in := pod("tlslift/image: other:2\n    tlslift/memory-limit: 128Mi\n    tlslift/no-proxy: a.example, .b.example\n    tlslift/config-map: mine", "")
	out := must(t, []byte(in), options())
	side := []string{"spec", "initContainers", "tlslift"}
	for want, path := range map[string][]string{
		"other:2":              append(side, "image"),
		"128Mi":                append(side, "resources", "limits", "memory"),
		"a.example,.b.example": {"spec", "containers", "app", "env", "no_proxy", "value"},
		"mine":                 {"spec", "volumes", "tlslift-config", "configMap", "name"},
	} {
		if n := at(t, out, path...); n == nil || n.Value != want {
			t.Errorf("%v is not %q", path, want)
		}
	}
	if at(t, out, "metadata", "annotations", inject.AnnotationConfig) != nil {
		t.Error("a configuration beside the ConfigMap")
	}
	java := at(t, out, "spec", "containers", "app", "env", "JAVA_TOOL_OPTIONS", "value").Value
	if !strings.HasSuffix(java, "-Dhttp.nonProxyHosts=a.example|*.b.example") {
		t.Errorf("JAVA_TOOL_OPTIONS %q", java)
	}
}

func TestNobodyUsesTheProxy(t *testing.T) {
	t.Parallel()
	out := must(t, []byte(pod(`tlslift/containers: ""`, "")), options())
	if at(t, out, "spec", "containers", "app", "env") != nil || at(t, out, "spec", "initContainers", "tlslift") == nil {
		t.Errorf("out:\n%s", out)
	}
}

func TestInitContainerUsesTheProxy(t *testing.T) {
	t.Parallel()
	in := pod("tlslift/containers: seed", "  initContainers:\n    - name: seed\n      image: s:1\n")
	out := must(t, []byte(in), options())
	if at(t, out, "spec", "initContainers", "seed", "env", "http_proxy") == nil || at(t, out, "spec", "containers", "app", "env") != nil {
		t.Errorf("out:\n%s", out)
	}
	if back := restore(t, out); string(back) != in {
		t.Errorf("back:\n%s", back)
	}
}

// A new image, another mode: what was there before goes entirely.
func TestInjectingAgainBringsUpToDate(t *testing.T) {
	t.Parallel()
	for _, file := range inputs(t) {
		in := read(t, file)
		o := options()
		o.Image, o.CASecret, o.Transparent = "other:2", "ca", true
		fresh := must(t, in, o)
		if got := must(t, must(t, in, options()), o); !bytes.Equal(got, fresh) {
			t.Errorf("%s: over an older one:\n%s\nfresh:\n%s", file, got, fresh)
		}
	}
}

func TestInjectFalseRemoves(t *testing.T) {
	t.Parallel()
	out := must(t, []byte(pod("a: b", "")), options())
	off := bytes.Replace(out, []byte("a: b\n"), []byte("a: b\n    tlslift/inject: \"false\"\n"), 1)
	got, results, err := inject.Inject(off, options())
	if err != nil || len(results) != 1 || results[0].Action != inject.Removed {
		t.Fatalf("%v, %v", results, err)
	}
	same(t, []byte(pod("a: b\n    tlslift/inject: \"false\"", "")), got)
}

// What somebody added after the injection is not ours to remove.
func TestUninjectLeavesWhatOthersAdded(t *testing.T) {
	t.Parallel()
	out := string(must(t, []byte(pod("", "")), options()))
	out = strings.Replace(out, "  volumes:\n", "  volumes:\n    - name: theirs\n      emptyDir: {}\n", 1)
	out = strings.Replace(out, "      env:\n        - name: http_proxy", "      env:\n        - name: THEIRS\n          value: x\n        - name: http_proxy", 1)
	back := restore(t, []byte(out))
	if at(t, back, "spec", "volumes", "theirs") == nil || at(t, back, "spec", "containers", "app", "env", "THEIRS") == nil {
		t.Errorf("back:\n%s", back)
	}
	if bytes.Contains(back, []byte("tlslift")) {
		t.Errorf("not everything is gone:\n%s", back)
	}
}

func TestWorkloadsName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 62) + "." + strings.Repeat("b", 80)
	for name, want := range map[string]string{"billing": "billing", "a.b": "a.b", long: strings.Repeat("a", 62), "'a b!'": "a-b", "''": "unnamed"} {
		in := "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name + "\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n"
		out := must(t, []byte(in), options())
		if got := at(t, out, "spec", "template", "metadata", "labels", inject.LabelWorkload); got == nil || got.Value != want {
			t.Errorf("%s: label %v, want %s", name, got, want)
		}
	}
}

// A document without a workload passes byte for byte, whatever is in it.
func TestOthersPassUntouched(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"", "\n", "# only a comment", "---\n---\n", "a:   1\r\nb: {c:  2}\r\n", "%YAML 1.1\n---\na: 1\n",
		"a: |\n  text\n...\n", "- a\n-   b\n", "\"a string\"", "kind: Pod\n", "apiVersion: v1\nkind: Pod\n",
		"apiVersion: serving.example/v1\nkind: Job\nspec: {template: {spec:   {}}}\n", "x: &a 1\ny:   *a\n",
	} {
		out, results, err := inject.Inject([]byte(in), options())
		if err != nil || string(out) != in || len(results) > 0 {
			t.Errorf("%q became %q, %v, %v", in, out, results, err)
		}
	}
}

// An application that has one of the sidecar's ports keeps it, by an annotation
// that moves the sidecar; what comes out is a configuration that tlslift takes.
func TestSidecarMakesRoomForTheApplicationsPorts(t *testing.T) {
	t.Parallel()
	in := strings.Replace(pod("tlslift/port: '4128'\n    tlslift/admin-port: '4129'\n    tlslift/status-port: '4130'", ""),
		"      image: a:1\n", "      image: a:1\n      ports: [{containerPort: 3128}, {containerPort: 9129}, {containerPort: 9128}]\n", 1)
	out := must(t, []byte(in), options())
	env := []string{"spec", "initContainers", "tlslift", "env"}
	var vars []string
	for _, name := range []string{"TLSLIFT_ADMIN", "TLSLIFT_ADMIN_PUBLIC"} {
		vars = append(vars, name+"="+at(t, out, append(env, name, "value")...).Value)
	}
	file := filepath.Join(t.TempDir(), "tlslift.yaml")
	if err := os.WriteFile(file, []byte(at(t, out, "metadata", "annotations", inject.AnnotationConfig).Value), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(configs.Source{File: file, Env: vars})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen[0].Address != "127.0.0.1:4128" || c.Admin.Public != ":4129" || c.Admin.Address != "127.0.0.1:4130" {
		t.Errorf("listens on %s, %s and %s", c.Listen[0].Address, c.Admin.Public, c.Admin.Address)
	}
}

func TestQuantitiesAreCompared(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"64Mi", "64Mi"}, {"64M", "65536k"}, {"32Mi", "1G"}, {"1000m", "1"}, {"33554432", "32Mi"}} {
		o := options()
		o.MemoryRequest, o.MemoryLimit = c[0], c[1]
		if err := o.Validate(); err != nil {
			t.Errorf("request %s, limit %s: %v", c[0], c[1], err)
		}
	}
}

func TestIPv4OnlyWithoutTransparentIsWarnedOf(t *testing.T) {
	t.Parallel()
	for annotation, want := range map[string]bool{"": true, "tlslift/transparent: 'true'": false} {
		o := options()
		o.IPv4Only = true
		_, results, err := inject.Inject([]byte(pod(annotation, "")), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(results[0].Notes, "\n"), "--ipv4-only has no effect without --transparent"); got != want {
			t.Errorf("%q: notes %q", annotation, results[0].Notes)
		}
	}
}

// The flags that are about proxy variables do nothing where there are none.
func TestFlagsWithoutEffectOnTransparentAreWarnedOf(t *testing.T) {
	t.Parallel()
	for annotation, want := range map[string]string{
		"":                              "",
		"tlslift/containers: app":       "--container and the annotation tlslift/containers have no effect with --transparent",
		"tlslift/no-proxy: a.example":   "--no-proxy and the annotation tlslift/no-proxy have no effect with --transparent",
		"uplift/inject: 'false'":        "",
		"example.com/tlslift: 'inject'": "",
	} {
		o := options()
		o.Transparent = true
		_, results, err := inject.Inject([]byte(pod(annotation, "")), o)
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(results[0].Notes, "\n")
		if !strings.Contains(notes, want) || want == "" && strings.Contains(notes, "no effect") {
			t.Errorf("%q: notes %q", annotation, notes)
		}
	}
}

// An image that no registry is named for is pulled from nowhere.
func TestImageWithoutRegistryIsWarnedOf(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]bool{"tlslift:dev": true, "tlslift": true, "registry.example/tlslift:1": false, "localhost:5000/tlslift": false} {
		_, results, err := inject.Inject([]byte(pod("tlslift/image: "+image, "")), options())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(results[0].Notes, "\n"), "image "+image+" names no registry"); got != want {
			t.Errorf("%s: notes %q", image, results[0].Notes)
		}
	}
}

// The configuration that travels in the annotation says what the shipped
// preset says.
func TestConfigurationIsThePreset(t *testing.T) {
	t.Parallel()
	for _, transparent := range []bool{false, true} {
		o := options()
		o.Transparent = transparent
		out := must(t, []byte(pod("", "")), o)
		file := filepath.Join(t.TempDir(), "tlslift.yaml")
		text := at(t, out, "metadata", "annotations", inject.AnnotationConfig).Value
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, want := load(t, file), load(t, "../../configs/sidecar.yaml")
		if transparent {
			if len(got.Listen) != 2 || !got.Listen[0].Transparent || !got.Listen[1].Transparent {
				t.Errorf("listeners %+v", got.Listen)
			}
			got.Listen = want.Listen
		}
		a, err := yaml.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		b, err := yaml.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("transparent %v:\n%s\nbut configs/sidecar.yaml:\n%s", transparent, a, b)
		}
	}
}

func load(t *testing.T, file string) *configs.Config {
	t.Helper()
	c, err := configs.Load(configs.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A List that aliases lead back to, or that they multiply, ends as any other.
func TestAliasesOfListsEnd(t *testing.T) {
	t.Parallel()
	const list = "apiVersion: v1\nkind: List\nitems: "
	multiplied := "x0: &x0 {kind: Service, apiVersion: v1}\n"
	for i := range 40 {
		multiplied += fmt.Sprintf("x%[2]d: &x%[2]d {apiVersion: v1, kind: List, items: [*x%[1]d, *x%[1]d]}\n", i, i+1)
	}
	for name, in := range map[string]string{
		"back":       "--- &a\n" + list + "[*a]\n",
		"multiplied": multiplied + list + "[*x40, *x40]\n",
	} {
		out, results, err := inject.Inject([]byte(in), options())
		if err != nil || len(results) != 0 || string(out) != in {
			t.Errorf("%s: %v, %d results, changed: %t", name, err, len(results), string(out) != in)
		}
		inject.Found([]byte(in))
	}
}

// A workload is one although its pods, or what says how they are made, is an alias.
func TestAWorkloadBehindAnAliasIsInjected(t *testing.T) {
	t.Parallel()
	const containers = "{containers: [{name: app, image: a:1}]}"
	for name, in := range map[string]string{
		"spec":     "x: &x {template: {spec: " + containers + "}}\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: *x\n",
		"template": "x: &x {spec: " + containers + "}\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: *x}\n",
		"pod":      "x: &x " + containers + "\napiVersion: v1\nkind: Pod\nmetadata: {name: d}\nspec: *x\n",
	} {
		out, results, err := inject.Inject([]byte(in), options())
		if err != nil || len(results) != 1 || results[0].Action != inject.Injected || !bytes.Contains(out, []byte("http_proxy")) {
			t.Errorf("%s: %v, %v\n%s", name, err, results, out)
		}
	}
}
