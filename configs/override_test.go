package configs

import (
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
)

const overridden = `
listen:
  - address: 10.0.0.1:3128
  - address: 127.0.0.1:3128
    client: billing
    allow: [10.0.0.0/8]
    accept: [forward]
upstreams:
  - host: api.example.com
    port: 8443
  - host: rest.example.com
admin: {address: "127.0.0.1:1", public: "127.0.0.1:2"}
clients: {workload: from/file}
log: {level: warn, format: console}
`

// TestOverrides is the precedence table: flag over environment over file over
// default.
func TestOverrides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file  string
		env   []string
		flags Flags
		got   func(*Config) string
		want  string
	}{
		"log level: default":         {"", nil, Flags{}, logLevel, "info"},
		"log level: file":            {overridden, nil, Flags{}, logLevel, "warn"},
		"log level: env over file":   {overridden, []string{"TLSLIFT_LOG_LEVEL=error"}, Flags{}, logLevel, "error"},
		"log level: flag over env":   {overridden, []string{"TLSLIFT_LOG_LEVEL=error"}, Flags{"log-level": {"debug"}}, logLevel, "debug"},
		"log level: flag alone":      {"", nil, Flags{"log-level": {"debug"}}, logLevel, "debug"},
		"log format: env over file":  {overridden, []string{"TLSLIFT_LOG_FORMAT=json"}, Flags{}, logFormat, "json"},
		"log format: flag over env":  {overridden, []string{"TLSLIFT_LOG_FORMAT=json"}, Flags{"log-format": {"console"}}, logFormat, "console"},
		"admin: default":             {"", nil, Flags{}, adminOf, "127.0.0.1:9128"},
		"admin: file":                {overridden, nil, Flags{}, adminOf, "127.0.0.1:1"},
		"admin: env over file":       {overridden, []string{"TLSLIFT_ADMIN=127.0.0.1:3"}, Flags{}, adminOf, "127.0.0.1:3"},
		"admin: flag over env":       {overridden, []string{"TLSLIFT_ADMIN=127.0.0.1:3"}, Flags{"admin": {"127.0.0.1:4"}}, adminOf, "127.0.0.1:4"},
		"admin: flag turns it off":   {overridden, nil, Flags{"admin": {""}}, adminOf, ""},
		"admin: empty env is unset":  {overridden, []string{"TLSLIFT_ADMIN="}, Flags{}, adminOf, "127.0.0.1:1"},
		"public: env over file":      {overridden, []string{"TLSLIFT_ADMIN_PUBLIC=0.0.0.0:9129"}, Flags{}, publicOf, "0.0.0.0:9129"},
		"workload: env over file":    {overridden, []string{"TLSLIFT_WORKLOAD=payments/billing"}, Flags{}, workloadOf, "payments/billing"},
		"workload: last one counts":  {"", []string{"TLSLIFT_WORKLOAD=a", "TLSLIFT_WORKLOAD=b"}, Flags{}, workloadOf, "b"},
		"listen: file":               {overridden, nil, Flags{}, listensOf, "10.0.0.1:3128 127.0.0.1:3128(billing)"},
		"listen: env replaces":       {overridden, []string{"TLSLIFT_LISTEN=127.0.0.1:1234"}, Flags{}, listensOf, "127.0.0.1:1234"},
		"listen: env list":           {"", []string{"TLSLIFT_LISTEN=127.0.0.1:1, [::1]:2"}, Flags{}, listensOf, "127.0.0.1:1 [::1]:2"},
		"listen: env keeps settings": {overridden, []string{"TLSLIFT_LISTEN=127.0.0.1:7,localhost:3128"}, Flags{}, listensOf, "127.0.0.1:7 localhost:3128(billing)"},
		"listen: flag over env":      {overridden, []string{"TLSLIFT_LISTEN=127.0.0.1:1234"}, Flags{"listen": {"127.0.0.1:1", "127.0.0.1:2222"}, "admin": {""}}, listensOf, "127.0.0.1:1 127.0.0.1:2222"},
		"listen: flag after env keeps only what env kept": {
			overridden, []string{"TLSLIFT_LISTEN=10.0.0.1:3128"}, Flags{"listen": {"127.0.0.1:3128"}}, listensOf, "127.0.0.1:3128",
		},
		"upstreams: default":       {"", nil, Flags{}, upstreamsOf, "api.smsportal.com:443 rest.smsportal.com:443 smsportal.com:443 www.mymobileapi.com:443 mymobileapi.com:443 rest.mymobileapi.com:443 legacy.mymobileapi.com:443 *.smsportal.com:443 *.mymobileapi.com:443"},
		"upstreams: file":          {overridden, nil, Flags{}, upstreamsOf, "api.example.com:8443 rest.example.com:443"},
		"upstreams: flag replaces": {overridden, nil, Flags{"upstream": {"*.Example.org"}}, upstreamsOf, "*.example.org:443"},
		"upstreams: flag keeps settings": {
			overridden, nil, Flags{"upstream": {"new.example.com", "API.example.com."}}, upstreamsOf, "new.example.com:443 api.example.com:8443",
		},
		"others' variables": {"", []string{"TLSLIFTED=1", "PATH=/bin", "http_proxy=http://127.0.0.1:1", "TLSLIFT_", "nonsense"}, Flags{}, logLevel, "info"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Source{Env: c.env, Flags: c.flags}
			if c.file != "" {
				s.File = written(t, c.file)
			}
			if got := c.got(loaded(t, s)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func logLevel(c *Config) string { return c.Log.Level.String() }
func logFormat(c *Config) string {
	return map[bool]string{false: "json", true: "console"}[c.Log.Console]
}
func adminOf(c *Config) string    { return c.Admin.Address }
func publicOf(c *Config) string   { return c.Admin.Public }
func workloadOf(c *Config) string { return c.Clients.Workload }

func listensOf(c *Config) string {
	var all []string
	for _, l := range c.Listen {
		text := l.Address
		if l.Client != "" {
			text += "(" + l.Client + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func upstreamsOf(c *Config) string {
	var all []string
	for _, u := range c.Upstreams {
		all = append(all, u.Host.String()+":"+strconv.Itoa(int(u.Port)))
	}
	return strings.Join(all, " ")
}

func TestOverriddenListenerKeepsItsAccessList(t *testing.T) {
	t.Parallel()
	c := loaded(t, Source{File: written(t, overridden), Flags: Flags{"listen": {"localhost:3128"}}})
	l := c.Listen[0]
	if len(l.Allow) != 1 || l.Allow[0] != netip.MustParsePrefix("10.0.0.0/8") || len(l.Accept) != 1 {
		t.Errorf("got %+v", l)
	}
}

func TestConfigFileFromTheEnvironment(t *testing.T) {
	t.Parallel()
	file, other := written(t, "log: {level: error}"), written(t, "log: {level: warn}")
	env := []string{"TLSLIFT_CONFIG=" + file}
	if got := loaded(t, Source{Env: env}).Log.Level; got != zapcore.ErrorLevel {
		t.Errorf("TLSLIFT_CONFIG: level %s", got)
	}
	if got := loaded(t, Source{File: other, Env: env}).Log.Level; got != zapcore.WarnLevel {
		t.Errorf("--config over TLSLIFT_CONFIG: level %s", got)
	}
	if got := (Source{Env: env}).Path(); got != file {
		t.Errorf("Path is %q", got)
	}
	if got := (Source{Env: []string{"TLSLIFT_CONFIG="}}).Path(); got != "" {
		t.Errorf("Path without a file is %q", got)
	}
}

func TestCAFromTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"ca.pem", "ca-key.pem", "other.pem"} {
		put(t, filepath.Join(dir, name), "")
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	cert, key := "TLSLIFT_CA_CERT="+in("other.pem"), "TLSLIFT_CA_KEY="+in("ca-key.pem")

	c := loaded(t, Source{Env: []string{cert, key}})
	if want := (CA{in("other.pem"), in("ca-key.pem")}); c.LegacyTLS.CA != want {
		t.Errorf("both: got %+v", c.LegacyTLS.CA)
	}
	file := filepath.Join(dir, "tlslift.yaml")
	put(t, file, "legacy_tls: {ca: {cert_file: ca.pem, key_file: ca-key.pem}}")
	c = loaded(t, Source{File: file, Env: []string{cert}})
	if want := (CA{in("other.pem"), in("ca-key.pem")}); c.LegacyTLS.CA != want {
		t.Errorf("the certificate over the file's: got %+v", c.LegacyTLS.CA)
	}
	put(t, file, "legacy_tls: {ca: {cert_file: ca.pem}, sha1_leaf: true}")
	loaded(t, Source{File: file, Env: []string{key}})
}

// TestOverrideProblems covers what is wrong outside the file, and where it says
// that it is.
func TestOverrideProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file  string
		env   []string
		flags Flags
		want  string
	}{
		"bad values": {
			"",
			[]string{"TLSLIFT_LISTEN=127.0.0.1:1,3128", "TLSLIFT_LOG_LEVEL=loud", "TLSLIFT_WORKLOAD=_x"},
			Flags{"listen": {"::"}, "upstream": {"*", "https://api.example.com/"}, "log-format": {"xml"}, "admin": {"9128"}},
			`environment: TLSLIFT_LISTEN: "3128" is a port without a host; write 127.0.0.1:3128, or 0.0.0.0:3128 for callers from elsewhere
environment: TLSLIFT_WORKLOAD: "_x" is a reserved name; write another name
environment: TLSLIFT_LOG_LEVEL: "loud" is not one of the values; write debug, info, warn or error
flag: --listen: "::" is not a host and port; write e.g. 127.0.0.1:3128
flag: --admin: "9128" is a port without a host; write 127.0.0.1:9128, or 0.0.0.0:9128 for callers from elsewhere
flag: --upstream: "*" is not a pattern; write a host, or *.domain for all below it
flag: --upstream: "https://api.example.com/" has a scheme; write the host alone
flag: --log-format: "xml" is not one of the values; write json or console`,
		},
		"unlike any variable": {
			"",
			[]string{"TLSLIFT_STATE=x", "TLSLIFT_DEBUG=1"},
			Flags{},
			`environment: TLSLIFT_DEBUG: unknown variable; remove it; the variables are TLSLIFT_CONFIG, TLSLIFT_LISTEN, TLSLIFT_ADMIN, TLSLIFT_ADMIN_PUBLIC, TLSLIFT_CA_CERT, TLSLIFT_CA_KEY, TLSLIFT_WORKLOAD, TLSLIFT_LOG_LEVEL, TLSLIFT_LOG_FORMAT
environment: TLSLIFT_STATE: unknown variable; remove it; the variables are TLSLIFT_CONFIG, TLSLIFT_LISTEN, TLSLIFT_ADMIN, TLSLIFT_ADMIN_PUBLIC, TLSLIFT_CA_CERT, TLSLIFT_CA_KEY, TLSLIFT_WORKLOAD, TLSLIFT_LOG_LEVEL, TLSLIFT_LOG_FORMAT`,
		},
		"unknown variables": {
			"",
			[]string{"TLSLIFT_=x", "TLSLIFT_LOGLEVEL=debug", "TLSLIFT_UPSTREAM_VERIFY=secret"},
			Flags{},
			`environment: TLSLIFT_: unknown variable; remove it; the variables are TLSLIFT_CONFIG, TLSLIFT_LISTEN, TLSLIFT_ADMIN, TLSLIFT_ADMIN_PUBLIC, TLSLIFT_CA_CERT, TLSLIFT_CA_KEY, TLSLIFT_WORKLOAD, TLSLIFT_LOG_LEVEL, TLSLIFT_LOG_FORMAT
environment: TLSLIFT_LOGLEVEL: unknown variable; did you mean TLSLIFT_LOG_LEVEL?
environment: TLSLIFT_UPSTREAM_VERIFY: unknown variable; remove it; the variables are TLSLIFT_CONFIG, TLSLIFT_LISTEN, TLSLIFT_ADMIN, TLSLIFT_ADMIN_PUBLIC, TLSLIFT_CA_CERT, TLSLIFT_CA_KEY, TLSLIFT_WORKLOAD, TLSLIFT_LOG_LEVEL, TLSLIFT_LOG_FORMAT`,
		},
		"file and flag together, file first": {
			"others: maybe", nil,
			Flags{"log-level": {"loud"}},
			`FILE:1: others: "maybe" is not one of the values; write refuse, tunnel, pass or auto
flag: --log-level: "loud" is not one of the values; write debug, info, warn or error`,
		},
		"admin open": {
			"",
			[]string{"TLSLIFT_ADMIN=0.0.0.0:9128"},
			Flags{},
			`environment: TLSLIFT_ADMIN: "0.0.0.0:9128" can be reached from elsewhere and has no token; name a file with a token in admin.token_file, or listen on 127.0.0.1 and put metrics and probes on admin.public`,
		},
		"listen on the admin port": {
			"", nil,
			Flags{"listen": {"127.0.0.1:9128"}},
			`flag: --listen: "127.0.0.1:9128" is taken by admin.address; give each its own address`,
		},
		"admin on the listen port": {
			"", nil,
			Flags{"admin": {"127.0.0.1:3128"}},
			`flag: --admin: "127.0.0.1:3128" is taken by listen[0].address; give each its own address`,
		},
		"half a CA": {
			"",
			[]string{"TLSLIFT_CA_KEY=override_test.go"},
			Flags{},
			`environment: TLSLIFT_CA_KEY: the CA has no certificate; name it in legacy_tls.ca.cert_file or TLSLIFT_CA_CERT`,
		},
		"no such CA": {
			"",
			[]string{"TLSLIFT_CA_CERT=nowhere.pem", "TLSLIFT_CA_KEY=."},
			Flags{},
			`environment: TLSLIFT_CA_CERT: "nowhere.pem" cannot be read: no such file or directory; name a file that tlslift can read
environment: TLSLIFT_CA_KEY: "." cannot be read: it is not a regular file; name a file that tlslift can read`,
		},
		"an upstream that default_upstream needs is gone": {
			"listen: [{address: \"127.0.0.1:0\", default_upstream: api.smsportal.com}]", nil,
			Flags{"upstream": {"api.example.com"}},
			`FILE:1: listen[0].default_upstream: "api.smsportal.com" is not one of the upstreams; add it to upstreams`,
		},
		"a kept entry keeps its line": {
			"listen:\n- address: 10.0.0.1:1\n- address: 10.0.0.1:2\n  accept: [forward]\n  transparent: true", nil,
			Flags{"listen": {"10.0.0.1:2"}},
			`FILE:5: listen[0].transparent: redirected connections come in as gateway or tls, and accept has neither; add one of them to accept`,
		},
		"lists without commas": {
			"",
			[]string{"TLSLIFT_LISTEN=a:1 b:2, c:3;d:4, e"},
			Flags{"upstream": {"a.example b.example", "c.example,d.example"}},
			`environment: TLSLIFT_LISTEN: "a:1 b:2" is not a host and port; separate them with commas
environment: TLSLIFT_LISTEN: "c:3;d:4" is not a host and port; separate them with commas
environment: TLSLIFT_LISTEN: "e" has no port; write e.g. 127.0.0.1:3128
flag: --upstream: "a.example b.example" is not a host; repeat the flag for each
flag: --upstream: "c.example,d.example" is not a host; repeat the flag for each`,
		},
		"twice the same": {
			"", nil,
			Flags{"upstream": {"api.example.com", "API.example.com"}, "listen": {":1", "127.0.0.1:1"}},
			`flag: --listen: "127.0.0.1:1" is taken by listen[0].address; give each its own address
flag: --upstream: "api.example.com" is upstreams[0].host already; remove one of them`,
		},
		"configuration file missing": {
			"",
			[]string{"TLSLIFT_CONFIG=nowhere/tlslift.yaml"},
			Flags{},
			`nowhere/tlslift.yaml: cannot be read: no such file or directory; name a file that tlslift can read`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Source{Env: c.env, Flags: c.flags}
			want := c.want
			if c.file != "" {
				s.File = written(t, c.file)
				want = strings.ReplaceAll(want, "FILE", s.File)
			}
			_, err := Load(s)
			if err == nil || err.Error() != want {
				t.Errorf("got\n%v\nwant\n%s", err, want)
			}
		})
	}
}

// TestKubernetesVariables has what a pod sees of a Service called tlslift with
// two named ports, of one called tlslift-gateway, and what only looks so.
func TestKubernetesVariables(t *testing.T) {
	t.Parallel()
	service := func(prefix string) []string {
		return []string{
			prefix + "_SERVICE_HOST=10.96.0.7",
			prefix + "_SERVICE_PORT=3128",
			prefix + "_SERVICE_PORT_HTTP_PROXY=3128",
			prefix + "_SERVICE_PORT_METRICS=9129",
			prefix + "_PORT=tcp://10.96.0.7:3128",
			prefix + "_PORT_3128_TCP=tcp://10.96.0.7:3128",
			prefix + "_PORT_3128_TCP_PROTO=tcp",
			prefix + "_PORT_3128_TCP_PORT=3128",
			prefix + "_PORT_3128_TCP_ADDR=10.96.0.7",
			prefix + "_PORT_9129_UDP_ADDR=10.96.0.7",
		}
	}
	loaded(t, Source{Env: service("TLSLIFT")})
	loaded(t, Source{Env: service("TLSLIFT_GATEWAY")})
	loaded(t, Source{Env: service("TLSLIFT_ADMIN")})
	for _, env := range []string{
		"TLSLIFT_LISTEN_PORT=3128", "TLSLIFT_ADMIN_PORT=9128", "TLSLIFT_PORTS=1",
		"TLSLIFT_PORT_HTTP=1", "TLSLIFT_SERVICE=1", "TLSLIFT_PORT_3128_TCP_HOST=x", "TLSLIFT_port=1",
	} {
		if _, err := Load(Source{Env: []string{env}}); err == nil {
			t.Errorf("%s was ignored", env)
		}
	}
}
