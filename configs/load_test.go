package configs

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/decide"
	"tlslift/proxy/host"
	"tlslift/proxy/identity"
)

// written returns the path of a file with the content.
func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tlslift.yaml")
	put(t, path, content)
	return path
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// loaded loads what must be valid, without its places.
func loaded(t *testing.T, s Source) *Config {
	t.Helper()
	c, err := Load(s)
	if err != nil {
		t.Fatalf("Load:\n%v", err)
	}
	c.origins = nil
	return c
}

func expectConfig(t *testing.T, got, want *Config) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", *got, *want)
	}
}

func TestNothingGivesTheDefaults(t *testing.T) {
	t.Parallel()
	expectConfig(t, loaded(t, Source{}), Default())
	expectConfig(t, loaded(t, Source{File: written(t, "")}), Default())
	expectConfig(t, loaded(t, Source{File: written(t, "{}")}), Default())
	expectConfig(t, loaded(t, Source{File: written(t, "\ufeffstate:\n")}), Default())
}

func TestDefaultsShareNothing(t *testing.T) {
	t.Parallel()
	one, other := Default(), Default()
	one.Listen[0].Accept[0] = call.TLS
	one.Upstreams[0].Host = host.Exact(host.MustParse("changed.example"))
	expectConfig(t, other, Default())
}

// TestEveryValue gives every key a value that is not its default.
func TestEveryValue(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"token", "extra.pem", "cert.pem", "key.pem", "password", "ca.pem", "ca-key.pem", "users", "hmac"} {
		put(t, filepath.Join(dir, name), "")
	}
	file := filepath.Join(dir, "tlslift.yaml")
	put(t, file, everyValue)
	got, err := Load(Source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	got.origins = nil
	expectConfig(t, got, everyValueRead(dir))
	expectAllDifferent(t, "Config", reflect.ValueOf(*got), reflect.ValueOf(*Default()))
}

// expectAllDifferent proves that no field was forgotten.
func expectAllDifferent(t *testing.T, name string, got, def reflect.Value) {
	t.Helper()
	for i := range got.NumField() {
		field := got.Type().Field(i)
		switch {
		case !field.IsExported():
		case name+"."+field.Name == "Config.Clients.Workload": // excludes names: TestOverrides has it
		case field.Type.Kind() == reflect.Struct && field.Type != reflect.TypeFor[time.Time]():
			expectAllDifferent(t, name+"."+field.Name, got.Field(i), def.Field(i))
		case reflect.DeepEqual(got.Field(i).Interface(), def.Field(i).Interface()):
			t.Errorf("%s.%s is the default", name, field.Name)
		}
	}
}

const everyValue = `
listen:
  - address: "[::1]:8080"
    accept: [gateway, tls]
    transparent: true
    proxy_protocol_from: [192.0.2.0/24, "::ffff:198.51.100.0/120"]
    client: billing
    allow: [10.0.0.0/8, "2001:db8::1"]
    unauthenticated: [transparent, gateway, tls]
    default_upstream: API.example.com.
  - {address: ":3129", accept: [connect, forward]}
admin:
  address: localhost:9200
  token_file: token
  public: 0.0.0.0:9201
  hosts: [lift.example, Lift]
  quit: true
  pprof: true
upstreams:
  - host: Api.Example.com
    to: Bücher.example
    address: 10.0.0.7:8443
    ca_file: extra.pem
    pins: ["sha256/AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    client_certificate: {cert_file: cert.pem, key_file: key.pem}
    port: 8443
  - host: "*.Example.org"
others: tunnel
allow_internal_addresses: true
upstream:
  min_tls: 1.3
  parent_proxy: https://jane@proxy.corp:8080
  parent_proxy_password_file: password
  parent_proxy_except: [10.0.0.0/8, 192.0.2.7, "::1", intranet.corp, "*.Corp"]
  dns_servers: [10.0.0.53, "10.0.0.54:5353", "2001:db8::53"]
  warm_connections: 0
  max_connections: 1
  idle_timeout: 1m30s500ms
  dial_timeout: 1ms
  tls_timeout: 1.5s
  response_timeout: 1d
legacy_tls:
  min_version: 1.1
  ca: {cert_file: ca.pem, key_file: ca-key.pem}
  handshake_timeout: 1h
  sslv2_hello: false
  rc4: true
  sha1_leaf: TRUE
  terminate_clients: [billing, 10.0.0.1]
  allow_unconstrained_ca: true
clients:
  names:
    - {name: billing, match: [10.1.0.0/16, "::ffff:10.2.0.1"]}
    - {name: "Archive & attic", match: [10.1.2.0/24]}
  proxy_user: name
  users_file: users
  account: hash
  account_key_file: hmac
  track: 1
  label_limit: 0
policy:
  target: 2027-03-01
  migrated_after: 31d12h
  clients:
    10.1.2.3: {migrated: 2027-01-04T08:00:00+02:00}
    archive: {migrated: "2026-12-01"}
rewrite: {location: false, cookies: false, hsts: false, wsdl: false}
state: {file: state/ledger.json}
limits:
  header_bytes: 1KiB
  body_bytes: 20 MB
  response_buffer: 1
  memory: 9MiB
  connections: 10
  connections_per_client: 10
  header_timeout: 1s
  body_timeout: 2s
  idle_timeout: 3s
  tunnel_idle_timeout: 7d
  drain_delay: 10s
  drain_timeout: 10001ms
  upgrade_timeout: 1h
log: {level: debug, format: console}
`

func everyValueRead(dir string) *Config {
	in := func(name string) string { return filepath.Join(dir, name) }
	ranges := func(texts ...string) (all []netip.Prefix) {
		for _, text := range texts {
			all = append(all, netip.MustParsePrefix(text))
		}
		return all
	}
	below, _ := host.ParsePattern("*.example.org")
	belowCorp, _ := host.ParsePattern("*.corp")
	morning, _ := time.Parse(time.RFC3339, "2027-01-04T08:00:00+02:00")
	return &Config{
		Listen: []Listen{{
			Address: "[::1]:8080", Accept: []call.Ingress{call.Gateway, call.TLS}, Transparent: true,
			ProxyProtocolFrom: ranges("192.0.2.0/24", "198.51.100.0/24"), Client: "billing",
			Allow: ranges("10.0.0.0/8", "2001:db8::1/128"), DefaultUpstream: host.MustParse("api.example.com"),
			Unauthenticated: []call.Ingress{call.Transparent, call.Gateway, call.TLS},
		}, {Address: ":3129", Accept: []call.Ingress{call.Connect, call.Forward}}},
		Admin: Admin{Address: "localhost:9200", TokenFile: in("token"), Public: "0.0.0.0:9201", Hosts: []host.Name{host.MustParse("lift.example"), host.MustParse("lift")}, Quit: true, Pprof: true},
		Upstreams: []Upstream{{
			Host: host.Exact(host.MustParse("api.example.com")), To: host.MustParse("xn--bcher-kva.example"), Address: "10.0.0.7:8443", CAFile: in("extra.pem"),
			Pins: [][32]byte{{1}}, ClientCertificate: KeyPair{in("cert.pem"), in("key.pem")}, Port: 8443,
		}, {Host: below, Port: 443}},
		Others: decide.OthersTunnel, AllowInternalAddresses: true,
		Upstream: Outbound{
			MinTLS: call.Version13, ParentProxy: "https://jane@proxy.corp:8080", ParentProxyPasswordFile: in("password"),
			ParentProxyExcept: []host.Set{
				{Prefix: netip.MustParsePrefix("10.0.0.0/8")},
				{Prefix: netip.MustParsePrefix("192.0.2.7/32")},
				{Prefix: netip.MustParsePrefix("::1/128")},
				{Pattern: host.Exact(host.MustParse("intranet.corp"))},
				{Pattern: belowCorp},
			},
			DNSServers: []netip.AddrPort{
				netip.MustParseAddrPort("10.0.0.53:53"), netip.MustParseAddrPort("10.0.0.54:5353"), netip.MustParseAddrPort("[2001:db8::53]:53"),
			},
			MaxConnections: 1, IdleTimeout: 90500 * time.Millisecond, DialTimeout: time.Millisecond,
			TLSTimeout: 1500 * time.Millisecond, ResponseTimeout: 24 * time.Hour,
		},
		LegacyTLS: LegacyTLS{
			MinVersion: call.Version11, CA: CA{in("ca.pem"), in("ca-key.pem")}, HandshakeTimeout: time.Hour,
			RC4: true, SHA1Leaf: true, TerminateClients: []string{"billing", "10.0.0.1"}, AllowUnconstrainedCA: true,
		},
		Clients: Clients{
			Names: []ClientName{
				{"billing", ranges("10.1.0.0/16", "10.2.0.1/32")},
				{"Archive & attic", ranges("10.1.2.0/24")},
			},
			ProxyUser: true, UsersFile: in("users"), Account: identity.AccountHash, AccountKeyFile: in("hmac"), Track: 1,
		},
		Policy: Policy{
			Target: time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC), MigratedAfter: (31*24 + 12) * time.Hour,
			Clients: map[string]ClientPolicy{
				"10.1.2.3": {Migrated: morning},
				"archive":  {Migrated: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
			},
		},
		State: State{in("state/ledger.json")},
		Limits: Limits{
			HeaderBytes: 1024, BodyBytes: 20_000_000, ResponseBuffer: 1, Memory: 9 << 20, Connections: 10, ConnectionsPerClient: 10,
			HeaderTimeout: time.Second, BodyTimeout: 2 * time.Second, IdleTimeout: 3 * time.Second,
			TunnelIdleTimeout: 168 * time.Hour, DrainDelay: 10 * time.Second, DrainTimeout: 10001 * time.Millisecond,
			UpgradeTimeout: time.Hour,
		},
		Log: Log{zapcore.DebugLevel, true},
	}
}

// TestBoundsThatFollow covers the defaults that follow a lower bound, so that
// one key is enough to lower both.
func TestBoundsThatFollow(t *testing.T) {
	t.Parallel()
	c := loaded(t, Source{File: written(t, `
limits: {connections: 10}
upstream: {max_connections: 1}
clients: {track: 5}
`)})
	if c.Limits.ConnectionsPerClient != 10 || c.Upstream.WarmConnections != 1 || c.Clients.LabelLimit != 5 {
		t.Errorf("got %d, %d, %d, want 10, 1, 5", c.Limits.ConnectionsPerClient, c.Upstream.WarmConnections, c.Clients.LabelLimit)
	}
}

func TestPortZeroClashesWithNothing(t *testing.T) {
	t.Parallel()
	c := loaded(t, Source{File: written(t, `
listen: [{address: "127.0.0.1:0"}, {address: "127.0.0.1:0"}]
admin: {address: "127.0.0.1:0", public: "127.0.0.1:0"}
`)})
	if len(c.Listen) != 2 {
		t.Errorf("got %d listeners", len(c.Listen))
	}
}

// TestUsersCloseTheDefaultListener: with users_file the default listener drops
// the ways in that cannot carry proxy credentials, wherever its address is from.
func TestUsersCloseTheDefaultListener(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "users"), "")
	const users = "clients: {users_file: users}\n"
	for name, c := range map[string]struct {
		config string
		listen []string
		want   []call.Ingress
	}{
		"no listen":       {users, nil, []call.Ingress{call.Forward, call.Connect}},
		"written out":     {users + "listen: [{address: 127.0.0.1:3128, accept: [forward, connect, gateway, tls]}]", nil, []call.Ingress{call.Forward, call.Connect}},
		"a flag":          {users, []string{"0.0.0.0:1"}, []call.Ingress{call.Forward, call.Connect}},
		"listed":          {users + "listen: [{address: 127.0.0.1:1, unauthenticated: [tls, gateway]}]", nil, []call.Ingress{call.Forward, call.Connect, call.Gateway, call.TLS}},
		"listed and flag": {users + "listen: [{address: 127.0.0.1:1, unauthenticated: [tls, gateway]}]", []string{"127.0.0.1:1"}, []call.Ingress{call.Forward, call.Connect, call.Gateway, call.TLS}},
		"no users":        {"", nil, []call.Ingress{call.Forward, call.Connect, call.Gateway, call.TLS}},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
		put(t, file, c.config+"\nothers: auto\n")
		cfg := loaded(t, Source{File: file, Flags: Flags{"listen": c.listen}})
		if got := cfg.Listen[0].Accept; !slices.Equal(got, c.want) {
			t.Errorf("%s: accepts %v", name, got)
		}
	}
}

// A chart's values and other rewritten YAML have a midnight with the date.
func TestTargetThatATemplateWrote(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"2027-03-01", `"2027-03-01"`, "2027-03-01T00:00:00Z"} {
		c, err := Load(Source{File: written(t, "policy: {target: "+text+"}\n")})
		if want := time.Date(2027, 3, 2, 0, 0, 0, 0, time.UTC); err != nil || !c.Policy.Target.Equal(want) {
			t.Errorf("%s: %v, %v", text, c, err)
		}
	}
}

// TestPlainEntries: an entry that needs one key may be its value alone, and so
// may a list of one.
func TestPlainEntries(t *testing.T) {
	t.Parallel()
	for plain, long := range map[string]string{
		"listen: 127.0.0.1:1":                          "listen: [{address: 127.0.0.1:1}]",
		"listen: [127.0.0.1:1, {address: ':2'}]":       "listen: [{address: 127.0.0.1:1}, {address: ':2'}]",
		"upstreams: api.example.com":                   "upstreams: [{host: api.example.com}]",
		"upstreams:\n- '*.example.com'\n- a.example\n": "upstreams: [{host: '*.example.com'}, {host: a.example}]",
	} {
		expectConfig(t, loaded(t, Source{File: written(t, plain)}), loaded(t, Source{File: written(t, long)}))
	}
	c, err := Load(Source{File: written(t, "upstreams:\n- a.example\n- b.example\n")})
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Problem("upstreams[1].host", "", ""); p.Line != 3 {
		t.Errorf("upstreams[1].host is in line %d", p.Line)
	}
}

// TestJudges: what needs the content of files is told with all other problems,
// unless the key was refused itself, or what is below it.
func TestJudges(t *testing.T) {
	t.Parallel()
	judge := func(c *Config) (found Problems) {
		for _, path := range []string{"state.file", "others", "upstreams[0].ca_file", "legacy_tls.ca", "upstreams"} {
			found = append(found, c.Problem(path, "is bad", ""))
		}
		return found
	}
	file := written(t, "state: {file: a}\nothers: some\nupstreams: [{host: a.example}, {host: '*'}]\nlegacy_tls:\n  ca: {cert_file: nowhere.pem}\n")
	_, err := Load(Source{File: file}, judge)
	var got []string
	problems, _ := errors.AsType[Problems](err)
	for _, p := range problems {
		got = append(got, strconv.Itoa(p.Line)+" "+p.Key)
	}
	want := []string{"1 state.file", "2 others", "3 upstreams[1].host", "3 upstreams[0].ca_file", "5 legacy_tls.ca.cert_file"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := Load(Source{}, func(c *Config) Problems { return nil }); err != nil {
		t.Error(err)
	}
}
