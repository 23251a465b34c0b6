// Package helm_test renders the chart with a real helm, and judges what comes
// out: the configuration by tlslift's own loader, the rest by what must hold.
package helm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"tlslift/configs"
)

var update = flag.Bool("update", false, "copy rules, alerts and dashboards into the chart")

// helmPath finds helm: $HELM, the PATH, or where kube-lab builds it. With
// TLSLIFT_HELM=require its absence fails.
func helmPath(t *testing.T) string {
	t.Helper()
	candidates := []string{os.Getenv("HELM"), "helm"}
	if cache, err := os.UserCacheDir(); err == nil {
		candidates = append(candidates, filepath.Join(cache, "kube-lab", "bin", "helm"))
	}
	for _, c := range candidates {
		if path, err := exec.LookPath(c); c != "" && err == nil {
			return path
		}
	}
	if os.Getenv("TLSLIFT_HELM") == "require" {
		t.Fatal("no helm, but TLSLIFT_HELM=require")
	}
	t.Skip("SKIPPED, NOT TESTED: no helm; go install helm.sh/helm/v4/cmd/helm@v4.3.1")
	return ""
}

// helm runs it; a failure is returned with what it printed.
func helm(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command(helmPath(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, errors.Join(err, errors.New(stderr.String()+stdout.String()))
	}
	return stdout.Bytes(), nil
}

type object = map[string]any

// render is `helm template`; values are given as --set arguments.
func render(t *testing.T, set ...string) ([]object, error) {
	t.Helper()
	args := []string{"template", "gw", "tlslift", "--namespace", "sms"}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	out, err := helm(t, args...)
	if err != nil {
		return nil, err
	}
	var objects []object
	dec := yaml.NewDecoder(bytes.NewReader(out))
	for {
		var o object
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			t.Fatalf("not YAML: %v\n%s", err, out)
		}
		if o != nil {
			objects = append(objects, o)
		}
	}
}

func rendered(t *testing.T, set ...string) []object {
	t.Helper()
	objects, err := render(t, set...)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func kinds(objects []object) []string {
	var all []string
	for _, o := range objects {
		all = append(all, o["kind"].(string))
	}
	slices.Sort(all)
	return all
}

// one returns the object of a kind; with several, the one with that name.
func one(t *testing.T, objects []object, kind, name string) object {
	t.Helper()
	for _, o := range objects {
		if o["kind"] == kind && (name == "" || at(o, "metadata", "name") == name) {
			return o
		}
	}
	t.Fatalf("no %s %s among %v", kind, name, kinds(objects))
	return nil
}

// at follows keys (string) and indices (int); nil when there is nothing.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(object)
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

// config loads the configuration of the rendered ConfigMap as tlslift does.
func config(t *testing.T, objects []object) *configs.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tlslift.yaml")
	text, _ := at(one(t, objects, "ConfigMap", "gw-tlslift"), "data", "tlslift.yaml").(string)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := configs.Load(configs.Source{File: file})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

func TestLint(t *testing.T) {
	t.Parallel()
	if _, err := helm(t, "lint", "--strict", "tlslift"); err != nil {
		t.Error(err)
	}
}

// Without values the gateway is the shipped preset.
func TestDefaultIsThePreset(t *testing.T) {
	t.Parallel()
	got := config(t, rendered(t))
	want, err := configs.Load(configs.Source{File: "../../configs/gateway.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := yaml.Marshal(got)
	b, _ := yaml.Marshal(want)
	if !bytes.Equal(a, b) {
		t.Errorf("chart:\n%s\nconfigs/gateway.yaml:\n%s", a, b)
	}
}

func TestWhatIsRendered(t *testing.T) {
	t.Parallel()
	always := []string{"ConfigMap", "Deployment", "NetworkPolicy", "Pod", "PodDisruptionBudget", "Service", "Service", "ServiceAccount"}
	tests := map[string]struct {
		set     []string
		more    []string
		without string
	}{
		"default":        {},
		"autoscaling":    {set: []string{"autoscaling.enabled=true"}, more: []string{"HorizontalPodAutoscaler"}},
		"podMonitor":     {set: []string{"monitoring.podMonitor.enabled=true"}, more: []string{"PodMonitor"}},
		"serviceMonitor": {set: []string{"monitoring.serviceMonitor.enabled=true"}, more: []string{"ServiceMonitor"}},
		"rules":          {set: []string{"monitoring.prometheusRule.enabled=true"}, more: []string{"PrometheusRule", "PrometheusRule"}},
		"cert-manager":   {set: []string{"ca.certManager.enabled=true", "ca.certManager.issuerRef.name=root"}, more: []string{"Certificate"}},
		"no policy":      {set: []string{"networkPolicy.enabled=false"}, without: "NetworkPolicy"},
		"no budget":      {set: []string{"podDisruptionBudget.enabled=false"}, without: "PodDisruptionBudget"},
		"own account":    {set: []string{"serviceAccount.create=false", "serviceAccount.name=mine"}, without: "ServiceAccount"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := append(slices.Clone(always), tt.more...)
			want = slices.DeleteFunc(want, func(k string) bool { return k == tt.without })
			slices.Sort(want)
			if got := kinds(rendered(t, tt.set...)); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}

// The chart has copies of the rules, alerts and dashboards: helm takes nothing
// from outside of its folder, and warns of links at each command.
func TestFilesAreCopiesOfTheShippedOnes(t *testing.T) {
	t.Parallel()
	shipped := map[string]string{"rules.yml": "../prometheus/rules.yml", "alerts.yml": "../prometheus/alerts.yml"}
	boards, _ := filepath.Glob("../grafana/dashboards/*.json")
	for _, b := range boards {
		shipped["dashboards/"+filepath.Base(b)] = b
	}
	for name, source := range shipped {
		want, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join("tlslift/files", name)
		if *update {
			if err := os.WriteFile(copied, want, 0o644); err != nil { //nolint:gosec // as all that is shipped
				t.Fatal(err)
			}
		}
		info, err := os.Lstat(copied)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := os.ReadFile(copied); err != nil || !info.Mode().IsRegular() || !bytes.Equal(got, want) {
			t.Errorf("%s is not a copy of %s: go test ./deploy/helm -update (%v)", copied, source, err)
		}
	}
	for _, pattern := range []string{"tlslift/files/*", "tlslift/files/dashboards/*"} {
		found, _ := filepath.Glob(pattern)
		for _, f := range found {
			if name := filepath.ToSlash(strings.TrimPrefix(f, filepath.FromSlash("tlslift/files/"))); name != "dashboards" && shipped[name] == "" {
				t.Errorf("%s is a copy of nothing", f)
			}
		}
	}
}

const valuesSchema = "tlslift/values.schema.json"

// TestSchemaOfConfig: what the chart's schema says of config is what tlslift
// schema prints, but for listen, which the chart makes itself.
func TestSchemaOfConfig(t *testing.T) {
	t.Parallel()
	var want object
	if err := json.Unmarshal(configs.JSONSchema(), &want); err != nil {
		t.Fatal(err)
	}
	delete(want, "$schema")
	want["title"] = "Generated from tlslift schema: go test ./deploy/helm -update"
	want["properties"].(object)["listen"] = object{
		"description": "Refused by the chart: use listeners or extraListeners, so that ports, Service and policy agree.",
	}
	generated, err := json.MarshalIndent(want, "    ", "  ")
	if err != nil {
		t.Fatal(err)
	}
	chart, err := os.ReadFile(valuesSchema)
	if err != nil {
		t.Fatal(err)
	}
	var parts struct {
		Definitions struct{ Tlslift json.RawMessage }
	}
	if err := json.Unmarshal(chart, &parts); err != nil {
		t.Fatal(err)
	}
	is := parts.Definitions.Tlslift
	if *update {
		chart = bytes.Replace(chart, append([]byte(`"tlslift": `), is...), append([]byte(`"tlslift": `), generated...), 1)
		if err := os.WriteFile(valuesSchema, chart, 0o644); err != nil { //nolint:gosec // as all that is shipped
			t.Fatal(err)
		}
	} else if !bytes.Equal(is, generated) {
		t.Errorf("%s is out of date: go test ./deploy/helm -update", valuesSchema)
	}
}

// TestValuesFollowTheirSchema needs no helm. A misspelt key of config is refused
// before anything is installed.
func TestValuesFollowTheirSchema(t *testing.T) {
	t.Parallel()
	chart, err := os.ReadFile(valuesSchema)
	if err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(chart, &s); err != nil {
		t.Fatal(err)
	}
	schema, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile("tlslift/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for replacement, valid := range map[string]bool{
		"connections: 16384":                     true,
		"conections: 16384":                      false,
		"header_bytes: 64kb\n    connections: 1": false,
	} {
		var v object
		if err := yaml.Unmarshal(bytes.Replace(values, []byte("connections: 16384"), []byte(replacement), 1), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v", replacement, err)
		}
	}
}

// A packed chart has everything in it, and helm has nothing to remark.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := exec.Command(helmPath(t), "package", "tlslift", "-d", dir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%v: %s", err, stderr.Bytes())
	}
	packed, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(packed) != 1 {
		t.Fatalf("packed %v", packed)
	}
	if _, err := helm(t, "template", "gw", packed[0], "--set", "monitoring.dashboards.enabled=true,monitoring.prometheusRule.enabled=true"); err != nil {
		t.Error(err)
	}
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../grafana/dashboards/*.json")
	if len(files) == 0 {
		t.Fatal("no dashboards in deploy/grafana/dashboards")
	}
	found := 0
	for _, o := range rendered(t, "monitoring.dashboards.enabled=true") {
		if at(o, "metadata", "labels", "grafana_dashboard") != "1" {
			continue
		}
		found++
		for name, text := range o["data"].(object) {
			want, err := os.ReadFile(filepath.Join("../grafana/dashboards", name))
			if err != nil || strings.TrimSpace(text.(string)) != strings.TrimSpace(string(want)) {
				t.Errorf("%s is not the shipped one: %v", name, err)
			}
		}
	}
	if found != len(files) {
		t.Errorf("%d dashboards, want %d", found, len(files))
	}
}

// The rules go to the operator as they are, templates of Prometheus included.
func TestRulesAreTheShippedOnes(t *testing.T) {
	t.Parallel()
	objects := rendered(t, "monitoring.prometheusRule.enabled=true")
	for _, name := range []string{"rules", "alerts"} {
		data, err := os.ReadFile("../prometheus/" + name + ".yml")
		if err != nil {
			t.Fatal(err)
		}
		var want object
		if err := yaml.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		a, _ := yaml.Marshal(one(t, objects, "PrometheusRule", "gw-tlslift-"+name)["spec"])
		b, _ := yaml.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("%s.yml differs", name)
		}
	}
}

func TestListeners(t *testing.T) {
	t.Parallel()
	objects := rendered(t, "listeners.http.enabled=true", "listeners.https.enabled=true", "listeners.allow={10.0.0.0/8}",
		"extraListeners[0].name=billing", "extraListeners[0].port=3129", "extraListeners[0].client=payments/billing")
	c := config(t, objects)
	var listen []string
	for _, l := range c.Listen {
		listen = append(listen, l.Address+" "+l.Client)
		if len(l.Allow) != 1 {
			t.Errorf("%s allows %v", l.Address, l.Allow)
		}
	}
	want := []string{":3128 ", ":8080 ", ":8443 ", ":3129 payments/billing"}
	if !slices.Equal(listen, want) {
		t.Errorf("listeners %q, want %q", listen, want)
	}
	var ports []any
	for _, p := range at(one(t, objects, "Service", "gw-tlslift"), "spec", "ports").([]any) {
		ports = append(ports, at(p, "port"))
	}
	if !slices.Equal(ports, []any{3128, 80, 443, 3129}) {
		t.Errorf("ports %v", ports)
	}
}

// TestCertManagerCAIsConstrained as tlslift ca init constrains its own.
func TestCertManagerCAIsConstrained(t *testing.T) {
	t.Parallel()
	constraints := at(one(t, rendered(t, "ca.certManager.enabled=true", "ca.certManager.issuerRef.name=root"), "Certificate", ""), "spec", "nameConstraints")
	text, _ := yaml.Marshal(constraints)
	for _, want := range []string{"smsportal.com", "check.tlslift.test", "0.0.0.0/0", "::/0"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

func TestCA(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		set    []string
		secret any
	}{
		"none":         {nil, nil},
		"secret":       {[]string{"ca.existingSecret=mine"}, "mine"},
		"cert-manager": {[]string{"ca.certManager.enabled=true", "ca.certManager.issuerRef.name=root"}, "gw-tlslift-ca"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := at(one(t, rendered(t, tt.set...), "Deployment", ""), "spec", "template", "spec")
			if got := at(spec, "volumes", 1, "secret", "secretName"); got != tt.secret {
				t.Errorf("secret %v, want %v", got, tt.secret)
			}
			env, _ := yaml.Marshal(at(spec, "containers", 0, "env"))
			if strings.Contains(string(env), "TLSLIFT_CA_CERT") != (tt.secret != nil) {
				t.Errorf("env:\n%s", env)
			}
		})
	}
}

// Only what cannot be reloaded restarts the pods.
func TestWhatRestartsThePods(t *testing.T) {
	t.Parallel()
	sum := func(set ...string) any {
		return at(one(t, rendered(t, set...), "Deployment", ""), "spec", "template", "metadata", "annotations", "checksum/restart")
	}
	base := sum()
	if base == nil || sum("config.limits.connections=9", "config.log.level=debug") != base {
		t.Error("a change that is reloaded restarts the pods")
	}
	for _, set := range []string{"listeners.proxy.containerPort=4000", "config.admin.public=0.0.0.0:9130", "config.state.file=/x/l.db"} {
		if sum(set) == base {
			t.Errorf("%s does not restart the pods", set)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]string{
		"replicas=3":                                "replicas",
		"config.listen=x":                           "use listeners (proxy, http, https) or extraListeners",
		"config.admin.public=127.0.0.1:9129":        "public",
		"config.limits.conections=1":                "conections",
		"config.others=allow":                       "others",
		"listeners.http.containerPort=80":           "containerPort",
		"listeners.proxy.enabled=false":             "no listener is enabled",
		"extraListeners[0].name=Much_Too_Long_Name": "name",
		"ca.certManager.enabled=true":               "issuerRef.name",
		"ca.certManager.enabled=true,ca.certManager.issuerRef.name=root,ca.certManager.permittedDomains=null": "permittedDomains",
		"image.digest=abc":   "digest",
		"service.type=Other": "type",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			if _, err := render(t, set); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", set, err)
			}
		})
	}
	for _, both := range [][]string{
		{"ca.existingSecret=mine", "ca.certManager.enabled=true", "ca.certManager.issuerRef.name=root"},
		{"monitoring.podMonitor.enabled=true", "monitoring.serviceMonitor.enabled=true"},
	} {
		if _, err := render(t, both...); err == nil {
			t.Errorf("%v was accepted", both)
		}
	}
}

// Two things on one port would be a pod that never gets ready, or a Service that
// the API server refuses.
func TestListenersThatClashAreRefused(t *testing.T) {
	t.Parallel()
	extra := func(settings ...string) []string {
		set := []string{"extraListeners[0].name=billing"}
		for _, s := range settings {
			set = append(set, "extraListeners[0]."+s)
		}
		return set
	}
	for name, tt := range map[string]struct {
		set  []string
		want string
	}{
		"port":        {extra("port=3128"), "the listener billing has the port 3128, which the listener proxy has already"},
		"container":   {extra("port=3129", "containerPort=3128"), "the listener billing has the containerPort 3128, which the listener proxy has already"},
		"two extra":   {append(extra("port=4000"), "extraListeners[1].name=till", "extraListeners[1].port=4000"), "the listener till has the port 4000, which the listener billing has already"},
		"name":        {append(extra("port=4000"), "extraListeners[1].name=billing", "extraListeners[1].port=4001"), "the name billing"},
		"metrics":     {extra("port=9129"), "the containerPort 9129, which config.admin.public has already"},
		"status page": {extra("port=9128"), "the containerPort 9128, which config.admin.address has already"},
		"its name":    {[]string{"extraListeners[0].name=tlslift-metrics", "extraListeners[0].port=4000"}, "the name tlslift-metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := render(t, tt.set...); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v does not say %q", err, tt.want)
			}
		})
	}
	// A port of the Service is none of the container.
	rendered(t, extra("port=9128", "containerPort=4128")...)
}

// The status page of one pod is not taken for that of all, nor looked for in
// another namespace.
func TestNotesSayWhoseStatusPageItIs(t *testing.T) {
	t.Parallel()
	notes := func(set string) string {
		out, err := helm(t, "install", "gw", "tlslift", "--namespace", "sms", "--dry-run=client", "--set", set)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(string(out), "\nNOTES:\n")
		return text
	}
	const forward, alone = "kubectl -n sms port-forward deploy/gw-tlslift 9130\n", "This shows the callers of one pod. For all pods, use the dashboards or\n`tlslift report --prometheus URL`.\n"
	for set, several := range map[string]bool{"replicaCount=2": true, "replicaCount=1": false, "autoscaling.enabled=true": true} {
		text := notes(set + ",config.admin.address=127.0.0.1:9130")
		if !strings.Contains(text, forward) || strings.Contains(text, alone) != several {
			t.Errorf("%s:\n%s", set, text)
		}
	}
	for set, first := range map[string]string{"image.tag=1.2": "tlslift 1.2 is at gw-tlslift.sms.svc:\n", "image.digest=sha256:" + strings.Repeat("0", 64): "tlslift is at gw-tlslift.sms.svc:\n"} {
		if text := notes(set); !strings.HasPrefix(text, first) {
			t.Errorf("%s:\n%s", set, text)
		}
	}
	if text := notes("config.admin.address="); strings.Contains(text, "port-forward") {
		t.Errorf("no status page:\n%s", text)
	}
}

// Large numbers stay numbers on their way through helm.
func TestLargeNumbers(t *testing.T) {
	t.Parallel()
	if c := config(t, rendered(t, "config.limits.connections=1000000")); c.Limits.Connections != 1000000 {
		t.Errorf("%d connections", c.Limits.Connections)
	}
}
