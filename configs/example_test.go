package configs

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/decide"
)

// contract is every key there is. Adding or renaming one is a change for
// everyone who has a configuration file.
const contract = `
listen listen[].address listen[].accept listen[].transparent listen[].proxy_protocol_from
listen[].client listen[].allow listen[].unauthenticated listen[].default_upstream
admin admin.address admin.token_file admin.public admin.hosts admin.quit admin.pprof
upstreams upstreams[].host upstreams[].to upstreams[].address upstreams[].ca_file upstreams[].pins
upstreams[].client_certificate upstreams[].client_certificate.cert_file upstreams[].client_certificate.key_file
upstreams[].port
others allow_internal_addresses
upstream upstream.min_tls upstream.parent_proxy upstream.parent_proxy_password_file
upstream.parent_proxy_except upstream.dns_servers upstream.warm_connections upstream.max_connections upstream.idle_timeout upstream.dial_timeout
upstream.tls_timeout upstream.response_timeout
legacy_tls legacy_tls.min_version legacy_tls.ca legacy_tls.ca.cert_file legacy_tls.ca.key_file
legacy_tls.handshake_timeout legacy_tls.sslv2_hello legacy_tls.rc4 legacy_tls.sha1_leaf
legacy_tls.terminate_clients legacy_tls.allow_unconstrained_ca
clients clients.names clients.names[].name clients.names[].match clients.workload clients.proxy_user
clients.users_file clients.account clients.account_key_file clients.track clients.label_limit
policy policy.target policy.migrated_after policy.clients policy.clients.*.migrated
rewrite rewrite.location rewrite.cookies rewrite.hsts rewrite.wsdl
state state.file
limits limits.header_bytes limits.body_bytes limits.response_buffer limits.memory limits.connections
limits.connections_per_client limits.header_timeout limits.body_timeout limits.idle_timeout
limits.tunnel_idle_timeout limits.drain_delay limits.drain_timeout limits.upgrade_timeout
log log.level log.format
`

// schemaKeys returns every key of the schema, in its order.
func schemaKeys() []string {
	var paths []string
	for _, k := range schema().all() {
		paths = append(paths, k.path)
	}
	return paths
}

func TestSchemaIsTheContract(t *testing.T) {
	t.Parallel()
	if got, want := schemaKeys(), strings.Fields(contract); !slices.Equal(got, want) {
		t.Errorf("the schema is\n%v\nthe contract is\n%v", got, want)
	}
}

func TestExampleIsTheDefault(t *testing.T) {
	t.Parallel()
	expectConfig(t, loaded(t, Source{File: written(t, exampleFile)}), Default())
}

// TestWrittenOutDefaultsGiveWay: who takes the example and changes one key is
// not told to change another, which it never chose.
func TestWrittenOutDefaultsGiveWay(t *testing.T) {
	t.Parallel()
	for _, change := range [][2]string{
		{`min_version: "1.0"`, `min_version: "1.1"`},
		{`min_version: "1.0"`, `min_version: "1.2"`},
		{"connections: 4096", "connections: 100"},
		{"max_connections: 256", "max_connections: 1"},
		{"track: 10000", "track: 50"},
	} {
		if !strings.Contains(exampleFile, change[0]) {
			t.Fatalf("the example has no %q", change[0])
		}
		cfg, err := Load(Source{File: written(t, strings.Replace(exampleFile, change[0], change[1], 1))})
		switch {
		case err != nil:
			t.Errorf("%s: %v", change[1], err)
		case cfg.Limits.ConnectionsPerClient > cfg.Limits.Connections, cfg.Upstream.WarmConnections > cfg.Upstream.MaxConnections,
			cfg.Clients.LabelLimit > cfg.Clients.Track:
			t.Errorf("%s: %+v", change[1], cfg)
		}
	}
}

// commented matches an example line: a # and no space.
var commented = regexp.MustCompile(`^( *)#([^ #!].*)$`)

// companions are the changes without which an example line is refused, rightly.
var companions = map[string]*strings.Replacer{
	"parent_proxy_password_file": strings.NewReplacer("#parent_proxy: ", "parent_proxy: "),
	"parent_proxy_except":        strings.NewReplacer("#parent_proxy: ", "parent_proxy: "),
	"unauthenticated":            strings.NewReplacer("#users_file: ", "users_file: "),
	"account_key_file":           strings.NewReplacer(`account: "off" `, "account: hash"),
}

// TestExampleLines removes the # of each example line of tlslift.yaml in turn.
func TestExampleLines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"admin-token", "extra.pem", "client.pem", "client-key.pem", "proxy-password", "ca.pem", "ca-key.pem", "htpasswd", "account-key",
	} {
		put(t, filepath.Join(dir, name), "")
	}
	lines, tried := strings.Split(exampleFile, "\n"), 0
	for i, line := range lines {
		if !commented.MatchString(line) {
			continue
		}
		tried++
		changed := slices.Clone(lines)
		changed[i] = commented.ReplaceAllString(line, "$1$2")
		content := strings.Join(changed, "\n")
		name, _, _ := strings.Cut(strings.TrimLeft(line, " #"), ":")
		if with := companions[name]; with != nil {
			content = with.Replace(content)
		}
		tryExample(t, filepath.Join(dir, "tlslift.yaml"), line, content)
	}
	if tried < 23 {
		t.Errorf("only %d example lines", tried)
	}
}

// tryExample loads the file with one example in use: valid, and not what the
// file said before.
func tryExample(t *testing.T, file, line, content string) {
	t.Helper()
	put(t, file, content)
	c, err := Load(Source{File: file})
	if err != nil {
		t.Errorf("%s\n%v", line, err)
		return
	}
	c.origins = nil
	if reflect.DeepEqual(c, Default()) && !strings.Contains(line, "port: 443") {
		t.Errorf("%s\nchanges nothing", line)
	}
}

// TestExampleHasEveryKey looks for each key in tlslift.yaml, in use or commented.
func TestExampleHasEveryKey(t *testing.T) {
	t.Parallel()
	for _, path := range schemaKeys() {
		name := path[strings.LastIndexByte(path, '.')+1:]
		if !regexp.MustCompile(`(?m)^[^#\n]*#?[^#\n ]*[^#\n]*\b` + name + `:`).MatchString(exampleFile) {
			t.Errorf("%s is not in tlslift.yaml", path)
		}
	}
}

// TestPresets loads the presets as they are shipped, and as they are meant to be
// used.
func TestPresets(t *testing.T) {
	t.Parallel()
	loaded(t, Source{File: "sidecar.yaml"})
	sidecar := loaded(t, Source{File: "sidecar.yaml", Env: []string{
		"TLSLIFT_WORKLOAD=payments/billing", "TLSLIFT_ADMIN_PUBLIC=0.0.0.0:9129",
	}})
	if sidecar.Clients.Workload != "payments/billing" || sidecar.Admin.Public != "0.0.0.0:9129" {
		t.Errorf("sidecar: got %+v, %+v", sidecar.Clients, sidecar.Admin)
	}
	for _, l := range sidecar.Listen {
		if !loopback(l.Address) || sidecar.Others != decide.OthersAuto {
			t.Errorf("sidecar: listens on %s, others %s", l.Address, sidecar.Others)
		}
	}
	gateway := loaded(t, Source{File: "gateway.yaml"})
	if gateway.Listen[0].Address != ":3128" || gateway.Others != decide.OthersRefuse ||
		gateway.Limits.DrainDelay != 10*time.Second || !loopback(gateway.Admin.Address) {
		t.Errorf("gateway: got %+v", gateway)
	}
}

// TestDocumentation looks for every key and variable in the reference.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(content)
	for _, path := range schemaKeys() {
		if !strings.Contains(doc, "`"+path+"`") {
			t.Errorf("%s is not in docs/configuration.md", path)
		}
	}
	for _, name := range variableNames() {
		if !strings.Contains(doc, "`"+envPrefix+name+"`") {
			t.Errorf("%s%s is not in docs/configuration.md", envPrefix, name)
		}
	}
	// Keys that the reference has and the schema has not.
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_0-9.*\\[\\]]+)` \\|").FindAllStringSubmatch(doc, -1) {
		if !slices.Contains(schemaKeys(), row[1]) {
			t.Errorf("docs/configuration.md has %s, which is no key", row[1])
		}
	}
}

// TestDocumentedExamples loads every example of the reference.
func TestDocumentedExamples(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(content), -1)
	if len(examples) < 10 {
		t.Errorf("only %d examples", len(examples))
	}
	for _, example := range examples {
		if _, err := load(Source{}, []byte(example[1])); err != nil {
			t.Errorf("%s%v", example[1], err)
		}
	}
}
