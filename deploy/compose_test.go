package deploy_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"tlslift/configs"
	"tlslift/proxy/authority"
	"tlslift/proxy/decide"
	"tlslift/test/harness"
)

// A compose file, as far as it is judged here.
type (
	composeFile struct {
		Name     string
		Services map[string]composeService
		Volumes  map[string]any
	}
	composeService struct {
		Extends     struct{ File, Service string }
		Command     []string
		Ports       []string
		Volumes     []string
		DependsOn   any    `yaml:"depends_on"`
		NetworkMode string `yaml:"network_mode"`
	}
)

// compose reads a file of deploy/compose; what a service extends stands in its
// place.
func compose(t *testing.T, file string) composeFile {
	t.Helper()
	var c composeFile
	if err := yaml.Unmarshal(read(t, filepath.Join("compose", file)), &c); err != nil {
		t.Fatal(err)
	}
	for name, s := range c.Services {
		if s.Extends.File != "" {
			other, ok := compose(t, s.Extends.File).Services[s.Extends.Service]
			if !ok {
				t.Fatalf("%s: %s extends %s, which %s does not have", file, name, s.Extends.Service, s.Extends.File)
			}
			c.Services[name] = other
		}
	}
	return c
}

// needs are the services that another one names.
func (s composeService) needs() []string {
	var names []string
	switch on := s.DependsOn.(type) {
	case []any:
		for _, n := range on {
			names = append(names, n.(string))
		}
	case map[string]any:
		for n := range on {
			names = append(names, n)
		}
	}
	if n, ok := strings.CutPrefix(s.NetworkMode, "service:"); ok {
		names = append(names, n)
	}
	return names
}

// after returns the argument behind another one.
func (s composeService) after(flag string) string {
	if i := slices.Index(s.Command, flag); i >= 0 && i+1 < len(s.Command) {
		return s.Command[i+1]
	}
	return ""
}

// source is what is mounted at a path of the container.
func (s composeService) source(path string) string {
	for _, v := range s.Volumes {
		parts := strings.Split(v, ":")
		if rest, ok := strings.CutPrefix(path, parts[1]); ok && strings.HasPrefix(parts[0], ".") {
			return filepath.Join("compose", parts[0], rest)
		}
	}
	return ""
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// judge loads a configuration as tlslift check does.
func judge(t *testing.T, src configs.Source) *configs.Config {
	t.Helper()
	c, err := configs.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	arguments := []string{"check"}
	if src.File != "" {
		path, err := filepath.Abs(src.File)
		if err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, "--config", path)
	}
	if r := harness.Run(t, src.Env, arguments...); r.Code != 0 {
		t.Fatalf("tlslift check: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	return c
}

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// ca makes what tlslift ca init makes.
func ca(t *testing.T, dir string) {
	t.Helper()
	if _, err := authority.Init(authority.InitOptions{Dir: dir, Domains: []string{"smsportal.com", "mymobileapi.com"}, Days: 30, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// Each stack stands by itself, its configuration is one that tlslift takes, and
// what is published is what something listens on.
func TestComposeStacksAreWhole(t *testing.T) {
	t.Parallel()
	shared := t.TempDir() // as demo setup and demo portal leave it
	ca(t, filepath.Join(shared, "ca"))
	if err := os.WriteFile(filepath.Join(shared, "portal.pem"), read(t, filepath.Join(shared, "ca", "root.pem")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"compose.yaml", "compose.keep.yaml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			stack := compose(t, file)
			for name, s := range stack.Services {
				for _, other := range s.needs() {
					if _, ok := stack.Services[other]; !ok {
						t.Errorf("%s needs the service %s, which is not there", name, other)
					}
				}
				for _, v := range s.Volumes {
					source, _, _ := strings.Cut(v, ":")
					if _, declared := stack.Volumes[source]; !declared && !strings.HasPrefix(source, ".") {
						t.Errorf("%s mounts the volume %s, which is not there", name, source)
					}
				}
			}

			gateway := stack.Services["tlslift"]
			text := read(t, gateway.source(gateway.after("--config")))
			config := filepath.Join(t.TempDir(), "tlslift.yaml")
			if err := os.WriteFile(config, []byte(strings.ReplaceAll(string(text), "/shared/", shared+"/")), 0o600); err != nil {
				t.Fatal(err)
			}
			c := judge(t, configs.Source{File: config})
			reached := map[string]bool{}
			for _, l := range c.Listen {
				reached[portOf(l.Address)] = !isLoopback(l.Address)
			}
			status := stack.Services["status"]
			if status.NetworkMode != "service:tlslift" || status.after("-to") != c.Admin.Address || !isLoopback(c.Admin.Address) {
				t.Errorf("the status page on %s is shown by nobody: %+v", c.Admin.Address, status)
			}
			reached[portOf(status.after("-listen"))] = true
			var published []string
			for _, p := range gateway.Ports {
				parts := strings.Split(p, ":")
				published = append(published, parts[len(parts)-1])
				if !reached[parts[len(parts)-1]] {
					t.Errorf("port %s is published, and nothing listens there", p)
				}
			}
			if !slices.Contains(gateway.Ports, "127.0.0.1:9128:"+portOf(status.after("-listen"))) {
				t.Errorf("the status page is not published: %v", gateway.Ports)
			}
			if c.Admin.Public == "" || !strings.Contains(string(read(t, "compose/prometheus.yml")), "tlslift:"+portOf(c.Admin.Public)) {
				t.Errorf("Prometheus does not find %q", c.Admin.Public)
			}
			if file == "compose.yaml" {
				return // its callers are within
			}
			for _, l := range c.Listen {
				if !slices.Contains(published, portOf(l.Address)) {
					t.Errorf("%s is not published", l.Address)
				}
			}
		})
	}
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	return net.ParseIP(host).IsLoopback()
}

// What is kept has nothing of the pretend world, whose certificate and data would
// be taken for real ones, and takes a CA as the documentation says.
func TestComposeToKeepIsReal(t *testing.T) {
	t.Parallel()
	demo, keep := compose(t, "compose.yaml"), compose(t, "compose.keep.yaml")
	if demo.Name == keep.Name {
		t.Errorf("both are the project %s, and share their data", keep.Name)
	}
	for _, name := range []string{"setup", "portal", "callers"} {
		if _, ok := keep.Services[name]; ok {
			t.Errorf("there is a %s", name)
		}
	}
	dir := t.TempDir()
	ca(t, filepath.Join(dir, "ca"))
	text := string(read(t, "compose/keep/tlslift.yaml"))
	example := regexp.MustCompile(`(?m)^#(legacy_tls:| +ca: .*)$`)
	if n := len(example.FindAllString(text, -1)); n != 2 {
		t.Fatalf("%d lines of the example with the CA", n)
	}
	config := filepath.Join(dir, "tlslift.yaml")
	if err := os.WriteFile(config, []byte(example.ReplaceAllString(text, "$1")), 0o600); err != nil {
		t.Fatal(err)
	}
	c := judge(t, configs.Source{File: config})
	if c.LegacyTLS.CA == (configs.CA{}) {
		t.Error("no CA")
	}
	for _, u := range c.Upstreams {
		if u.Address != "" || u.CAFile != "" {
			t.Errorf("%s leads to %s, trusted by %s", u.Host, u.Address, u.CAFile)
		}
	}
}

// The lines that the documentation gives for a container are configurations that
// tlslift takes, whose published ports reach it, and that are no open proxy.
func TestDocumentedContainersAreReached(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(string(read(t, "../docs/hosts.md")), "\\\n", " ")
	lines := regexp.MustCompile(`(?m)^ *\$ (docker run .* tlslift)$`).FindAllStringSubmatch(text, -1)
	if len(lines) != 2 {
		t.Fatalf("%d lines with docker run", len(lines))
	}
	for _, line := range lines {
		var env, published []string
		args := strings.Fields(line[1])
		for i, a := range args {
			switch a {
			case "-e":
				env = append(env, args[i+1])
			case "-p":
				published = append(published, args[i+1][strings.LastIndex(args[i+1], ":")+1:])
			}
		}
		c := judge(t, configs.Source{Env: env})
		reached := []string{portOf(c.Admin.Public)}
		for _, l := range c.Listen {
			if isLoopback(l.Address) == (len(published) > 0) {
				t.Errorf("%s: listens on %s", line[1], l.Address)
			}
			reached = append(reached, portOf(l.Address))
		}
		for _, p := range published {
			if !slices.Contains(reached, p) {
				t.Errorf("%s: nothing listens on %s", line[1], p)
			}
		}
		if host := strings.Contains(line[1], "--network host"); host == (len(published) > 0) || c.Others != decide.OthersAuto {
			t.Errorf("%s: %v is published, others are %v", line[1], published, c.Others)
		}
	}
}
