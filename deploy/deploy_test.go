// Package deploy_test judges what is shipped beside the binary: manifests,
// units, the compose example. What only a real API server can tell is in
// test/k8s.
package deploy_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tlslift/configs"
	"tlslift/deploy/inject"
)

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// load is tlslift's own judgement of a configuration.
func load(t *testing.T, file string) *configs.Config {
	t.Helper()
	c, err := configs.Load(configs.Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asYAML(t *testing.T, v any) string {
	t.Helper()
	out, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The component cannot reach out of its folder, so that it has a copy.
func TestSidecarsConfigurationIsThePreset(t *testing.T) {
	t.Parallel()
	preset := bytes.Replace(read(t, "../configs/sidecar.yaml"), []byte(" tlslift.yaml explains every key"), []byte(" configs/tlslift.yaml explains every key"), 1)
	if !bytes.Equal(read(t, "kubernetes/sidecar/tlslift.yaml"), preset) {
		t.Error("copy configs/sidecar.yaml to deploy/kubernetes/sidecar/tlslift.yaml, with configs/ before the tlslift.yaml that explains every key")
	}
	want := load(t, "../configs/sidecar.yaml")
	got := load(t, "kubernetes/transparent/tlslift.yaml")
	if len(got.Listen) != 2 || !got.Listen[0].Transparent || !got.Listen[1].Transparent {
		t.Errorf("transparent listeners: %+v", got.Listen)
	}
	got.Listen = want.Listen
	if asYAML(t, got) != asYAML(t, want) {
		t.Error("deploy/kubernetes/transparent/tlslift.yaml differs from configs/sidecar.yaml in more than its listeners")
	}
}

// Where every key is explained: in another file than the one that says so.
func TestConfigurationsNameWhereKeysAreExplained(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"sidecar", "transparent"} {
		file := "kubernetes/" + dir + "/tlslift.yaml"
		if !bytes.Contains(read(t, file), []byte("configs/tlslift.yaml explains every key")) {
			t.Errorf("%s does not say that configs/tlslift.yaml explains every key", file)
		}
	}
}

// documents are all objects of a manifest.
func documents(t *testing.T, data []byte) []map[string]any {
	t.Helper()
	var all []map[string]any
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var o map[string]any
		if err := dec.Decode(&o); err != nil {
			return all
		}
		all = append(all, o)
	}
}

// at follows keys (string) and indices (int); nil when there is nothing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func TestClassicConfigurations(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"kubernetes/classic/deployment.yaml", "kubernetes/classic/job.yaml"} {
		docs := documents(t, read(t, file))
		if len(docs) != 2 {
			t.Fatalf("%s: %d documents", file, len(docs))
		}
		config := filepath.Join(t.TempDir(), "tlslift.yaml")
		text, _ := at(docs[0], "data", "tlslift.yaml").(string)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := load(t, config)
		if strings.Contains(file, "job") != c.Admin.Quit {
			t.Errorf("%s: admin.quit is %v", file, c.Admin.Quit)
		}
		if !strings.Contains(file, "job") && c.Limits.DrainDelay == 0 {
			t.Errorf("%s: a classic sidecar has to go on accepting while the application ends", file)
		}
	}
}

// kustomize runs `kubectl kustomize`.
func kustomize(t *testing.T, dir string) []map[string]any {
	t.Helper()
	kubectl, err := exec.LookPath("kubectl")
	if cache, cerr := os.UserCacheDir(); err != nil && cerr == nil {
		kubectl, err = exec.LookPath(filepath.Join(cache, "kube-lab", "bin", "kubectl"))
	}
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no kubectl")
	}
	out, err := exec.Command(kubectl, "kustomize", dir).Output()
	if err != nil {
		t.Fatalf("kubectl kustomize %s: %v", dir, err)
	}
	return documents(t, out)
}

// The component and tlslift inject make the same sidecar; only where its
// workload's name and its configuration come from differs.
func TestComponentAndInjectAgree(t *testing.T) {
	t.Parallel()
	o := inject.Default("registry.example/tlslift:1.0")
	for _, dir := range []string{"example", "example-transparent"} {
		o.Transparent = dir == "example-transparent"
		component := kustomize(t, "kubernetes/"+dir)[1]
		out, _, err := inject.Inject(read(t, "kubernetes/example-application/deployment.yaml"), o)
		if err != nil {
			t.Fatal(err)
		}
		injected := documents(t, out)[0]
		for i := range 2 {
			path := []any{"spec", "template", "spec", "initContainers", i}
			a, b := at(component, path...), at(injected, path...)
			if a != nil && b != nil && at(a, "name") == "tlslift" {
				byName := func(x, y any) int { return strings.Compare(at(x, "name").(string), at(y, "name").(string)) }
				for _, c := range []any{a, b} {
					env := at(c, "env").([]any)
					slices.SortFunc(env, byName)
					for _, v := range env {
						if at(v, "name") == "POD_WORKLOAD" {
							v.(map[string]any)["valueFrom"] = "its label"
						}
					}
				}
			}
			if asYAML(t, a) != asYAML(t, b) {
				t.Errorf("%s, init container %d: component\n%s\ninject\n%s", dir, i, asYAML(t, a), asYAML(t, b))
			}
		}
	}
}

// A ConfigMap of the example is what the pod mounts.
func TestComponentMountsItsConfiguration(t *testing.T) {
	t.Parallel()
	docs := kustomize(t, "kubernetes/example")
	name := at(docs[0], "metadata", "name")
	if got := at(docs[1], "spec", "template", "spec", "volumes", 0, "configMap", "name"); got != name || name == nil {
		t.Errorf("mounts %v, made %v", got, name)
	}
	if at(docs[1], "spec", "template", "metadata", "labels", "tlslift/sidecar") != "true" {
		t.Error("the PodMonitor would not find it")
	}
}

// What the documentation says of pods names their namespace, and components,
// values and flags that there are.
func TestKubernetesDocumentation(t *testing.T) {
	t.Parallel()
	text := string(read(t, "../docs/kubernetes.md"))
	for _, command := range regexp.MustCompile(`kubectl[^`+"`"+`\n]* (port-forward|logs|debug)\b[^`+"`"+`\n]*`).FindAllString(text, -1) {
		if !strings.Contains(command, " -n ") {
			t.Errorf("%q names no namespace", command)
		}
	}
	if strings.Contains(text, "/tlslift redirect status") {
		t.Error("a container of the pod is to tell the redirect, which takes a capability that none has")
	}
	dirs, _ := filepath.Glob("kubernetes/*")
	for _, dir := range dirs {
		if filepath.Base(dir) != "example-application" && !strings.Contains(text, "deploy/"+filepath.ToSlash(dir)) {
			t.Errorf("deploy/%s is not told of", dir)
		}
	}
	values := documents(t, read(t, "helm/tlslift/values.yaml"))[0]
	for _, set := range regexp.MustCompile(`--set ([^ `+"`"+`\n]+)`).FindAllStringSubmatch(text, -1) {
		for _, one := range strings.Split(set[1], ",") {
			key, _, _ := strings.Cut(one, "=")
			var path []any
			for _, k := range strings.Split(key, ".") {
				path = append(path, k)
			}
			if at(values, path...) == nil {
				t.Errorf("there is no value %s", key)
			}
		}
	}
	if !strings.Contains(text, "--set ca.existingSecret=tlslift-ca") {
		t.Error("the Secret that is made is given to nobody")
	}
}

// One name for the port, everywhere, of at most 15 characters.
func TestPortsName(t *testing.T) {
	t.Parallel()
	const name = "tlslift-metrics"
	if inject.PortName != name || len(name) > 15 {
		t.Errorf("port %q", inject.PortName)
	}
	for _, file := range []string{
		"kubernetes/monitoring/podmonitor.yaml", "kubernetes/monitoring/scrape.yml", "kubernetes/sidecar/sidecar.yaml",
		"kubernetes/classic/deployment.yaml", "helm/tlslift/templates/deployment.yaml",
	} {
		if !bytes.Contains(read(t, file), []byte(name)) {
			t.Errorf("%s does not know the port %s", file, name)
		}
	}
}

// Nobody may drop init containers: native sidecars are.
func TestScrapeJobKeepsInitContainers(t *testing.T) {
	t.Parallel()
	jobs := at(documents(t, read(t, "kubernetes/monitoring/scrape.yml"))[0], "scrape_configs").([]any)
	for _, job := range jobs {
		for _, r := range at(job, "relabel_configs").([]any) {
			if labels, _ := at(r, "source_labels").([]any); slices.Contains(labels, any("__meta_kubernetes_pod_container_init")) {
				t.Errorf("a rule looks at init containers: %v", r)
			}
		}
	}
}

func TestPackagedConfiguration(t *testing.T) {
	t.Parallel()
	load(t, "packaging/tlslift.yaml")
}

// The units are understood by systemd, and stay as hardened as they are.
func TestUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no systemd-analyze")
	}
	dir := t.TempDir()
	binary := filepath.Join(dir, "tlslift")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // it has to be executable
		t.Fatal(err)
	}
	var units []string
	for _, name := range []string{"tlslift.service", "tlslift.socket"} {
		text := bytes.ReplaceAll(read(t, "systemd/"+name), []byte("/usr/bin/tlslift"), []byte(binary))
		units = append(units, filepath.Join(dir, name))
		if err := os.WriteFile(units[len(units)-1], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(analyze, append([]string{"verify", "--man=no"}, units...)...).CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	out, err := exec.Command(analyze, "security", "--offline=yes", "--threshold=15", units[0]).CombinedOutput()
	if err != nil {
		t.Errorf("more exposed than 1.5: %v\n%s", err, out[max(0, len(out)-300):])
	}
}

// The fixed user is one number, wherever it is written.
func TestUser(t *testing.T) {
	t.Parallel()
	for _, file := range []string{
		"../Dockerfile", "kubernetes/sidecar/sidecar.yaml", "kubernetes/transparent/redirect.yaml", "kubernetes/classic/deployment.yaml",
		"kubernetes/classic/job.yaml", "helm/tlslift/templates/deployment.yaml", "systemd/sysusers.conf", "systemd/transparent.conf",
	} {
		if !regexp.MustCompile(`\b47128\b`).Match(read(t, file)) {
			t.Errorf("%s does not know user 47128", file)
		}
	}
	if inject.UID != 47128 {
		t.Error(inject.UID)
	}
}

// TestImagesArePinned: each image from elsewhere is named by its digest, so it cannot change.
func TestImagesArePinned(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?m)^(?:FROM|\s+image:) +(\S+)`)
	pinned := regexp.MustCompile(`^[a-z/]+:[v0-9.]+@sha256:[0-9a-f]{64}$`)
	found := 0
	for _, file := range []string{
		"../Dockerfile", "demo/Dockerfile", "compose/compose.yaml", "compose/compose.keep.yaml", "helm/tlslift/values.yaml",
	} {
		for _, image := range named.FindAllSubmatch(read(t, file), -1) {
			switch name := string(image[1]); {
			case name == "scratch" || name == "tlslift" || name == "tlslift-demo":
			case !pinned.MatchString(name):
				t.Errorf("%s: %s is not pinned by its digest", file, name)
			default:
				found++
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d images found", found)
	}
}

// Every file that the compose example and the packages name is there.
func TestNamedFilesAreThere(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"compose.yaml", "compose.keep.yaml"} {
		for name, s := range compose(t, file).Services {
			for _, v := range s.Volumes {
				if source, _, _ := strings.Cut(v, ":"); strings.HasPrefix(source, ".") {
					if _, err := os.Stat(filepath.Join("compose", source)); err != nil {
						t.Errorf("%s, %s: %v", file, name, err)
					}
				}
			}
		}
	}
	var release struct {
		Nfpms []struct {
			Contents []struct{ Src string }
			Scripts  map[string]string
		}
	}
	if err := yaml.Unmarshal(read(t, "../.goreleaser.yaml"), &release); err != nil {
		t.Fatal(err)
	}
	for _, p := range release.Nfpms {
		for _, c := range p.Contents {
			if matches, err := filepath.Glob("../" + c.Src); (err != nil || len(matches) == 0) && !strings.HasPrefix(c.Src, "bin/") {
				t.Errorf("package: no %s", c.Src)
			}
		}
		for _, s := range p.Scripts {
			if info, err := os.Stat("../" + s); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("package: script %s: %v", s, err)
			}
		}
	}
}

// Every shell script is one that shellcheck has nothing to say about.
func TestScripts(t *testing.T) {
	t.Parallel()
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("SKIPPED, NOT TESTED: no shellcheck")
	}
	var scripts []string
	for _, dir := range []string{"../deploy", "../test/k8s"} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".sh") {
				scripts = append(scripts, strings.TrimPrefix(path, "../"))
			}
			return nil
		})
	}
	cmd := exec.Command(shellcheck, append([]string{"-x"}, scripts...)...)
	cmd.Dir = ".." // the scripts name each other from there
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The policy for applications lets nothing go to everybody, and nothing to port
// 80: no call can leave in clear.
func TestNetworkPolicyAllowsNoClear(t *testing.T) {
	t.Parallel()
	var policy struct {
		Spec struct {
			PolicyTypes []string `yaml:"policyTypes"`
			Egress      []struct {
				To    []any
				Ports []struct{ Port int }
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "firewall/networkpolicy.yaml"), &policy); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(policy.Spec.PolicyTypes, []string{"Egress"}) || len(policy.Spec.Egress) == 0 {
		t.Fatalf("%+v", policy)
	}
	for _, rule := range policy.Spec.Egress {
		if len(rule.To) == 0 || len(rule.Ports) == 0 {
			t.Errorf("a rule for everybody or every port: %+v", rule)
		}
		for _, p := range rule.Ports {
			if p.Port == 80 || p.Port == 0 {
				t.Errorf("port %d is allowed", p.Port)
			}
		}
	}
}
