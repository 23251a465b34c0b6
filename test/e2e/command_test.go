package e2e

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// TestExitStatus: 0 done, 1 failed, 2 wrong usage or configuration.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel subtests
	missing := "/no/such/dir/tlslift.yaml"
	bad := harness.TempFile(t, "bad.yaml", "listen: 5\n")
	empty := harness.TempFile(t, "empty.yaml", "")
	for name, tt := range map[string]struct {
		arguments []string
		code      int
		says      string // on standard output or error
	}{
		"version":             {[]string{"version"}, 0, "go1."},
		"version by flag":     {[]string{"--version"}, 0, "go1."},
		"help":                {[]string{"--help"}, 0, "check"},
		"check of defaults":   {[]string{"check"}, 0, "ok"},
		"check of an empty":   {[]string{"check", "--config", empty}, 0, "ok"},
		"unknown command":     {[]string{"dance"}, 2, "dance"},
		"unknown flag":        {[]string{"run", "--dance"}, 2, "dance"},
		"argument too many":   {[]string{"run", "dance"}, 2, "dance"},
		"bad log level":       {[]string{"run", "--log-level", "loud"}, 2, "loud"},
		"bad listen address":  {[]string{"run", "--listen", "nonsense"}, 2, "nonsense"},
		"run, missing file":   {[]string{"run", "--config", missing}, 2, missing},
		"check, missing file": {[]string{"check", "--config", missing}, 2, missing},
		"run, bad file":       {[]string{"run", "--config", bad}, 2, bad},
		"check, bad file":     {[]string{"check", "--config", bad}, 2, bad},
		"run, a device":       {[]string{"run", "--config", os.DevNull}, 2, "--config"},
		"check, a device":     {[]string{"check", "--config", os.DevNull}, 0, "ok"},
		"port taken":          {[]string{"run", "--listen", taken.Addr().String(), "--admin", "127.0.0.1:0"}, 1, "on " + taken.Addr().String() + ": address already in use; another tlslift"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := harness.Run(t, nil, tt.arguments...)
			if got.Code != tt.code || !strings.Contains(got.Stdout+got.Stderr, tt.says) {
				t.Errorf("status %d, want %d; stdout %q stderr %q", got.Code, tt.code, got.Stdout, got.Stderr)
			}
			if tt.code != 0 && strings.TrimSpace(got.Stderr) == "" {
				t.Error("nothing on standard error")
			}
		})
	}
}

// TestCheckReportsEveryProblemAtOnce with file, line, key and what to do.
func TestCheckReportsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	file := harness.TempFile(t, "many.yaml", `listen:
  - address: 127.0.0.1:3128
    acept: [forward]
others: maybe
upstream:
  min_tls: "1.0"
  dial_timeout: soon
limits:
  body_bytes: 10 elephants
upstreams:
  - host: "*"
log: {level: loud}
`)
	got := harness.Run(t, nil, "check", "--config", file)
	if got.Code != 2 {
		t.Errorf("status %d", got.Code)
	}
	for line, key := range map[string]string{
		"3": "acept", "4": "others", "6": "min_tls", "7": "dial_timeout", "9": "body_bytes", "11": "host", "12": "level",
	} {
		if !reports(got.Stderr, file+":"+line, key) {
			t.Errorf("line %s, key %s is not reported in\n%s", line, key, got.Stderr)
		}
	}
}

// TestFilesAreCheckedWithTheRest: the content of files, and directories, in the
// same round as everything else, by check and by run.
func TestFilesAreCheckedWithTheRest(t *testing.T) {
	t.Parallel()
	empty := harness.TempFile(t, "empty.pem", "")
	file := harness.TempFile(t, "files.yaml", `others: maybe
upstreams:
  - host: api.smsportal.com
    ca_file: `+empty+`
legacy_tls:
  ca: {cert_file: `+empty+`, key_file: `+empty+`}
admin: {token_file: `+empty+`}
state:
  file: /no/such/dir/ledger.json
clients: {users_file: `+empty+`}
`)
	got := harness.Run(t, nil, "check", "--config", file)
	for line, key := range map[string]string{
		"1": "others", "4": "upstreams[0].ca_file", "6": "legacy_tls.ca", "7": "admin.token_file", "9": "state.file", "10": "clients.users_file",
	} {
		if !reports(got.Stderr, file+":"+line+":", key) {
			t.Errorf("line %s, key %s is not reported in\n%s", line, key, got.Stderr)
		}
	}
	got = harness.Run(t, nil, "run", "--config", file)
	if got.Code != 2 || !reports(got.Stderr, file+":1:", "others") || !reports(got.Stderr, file+":4:", "ca_file") {
		t.Errorf("run: status %d\n%s", got.Code, got.Stderr)
	}
}

// TestSchemaCommand: an editor gets the schema by one command.
func TestSchemaCommand(t *testing.T) {
	t.Parallel()
	got := harness.Run(t, nil, "schema")
	var schema struct {
		Schema     string `json:"$schema"`
		Properties map[string]any
	}
	if err := json.Unmarshal([]byte(got.Stdout), &schema); err != nil || got.Code != 0 {
		t.Fatalf("status %d, %v", got.Code, err)
	}
	if schema.Schema != "http://json-schema.org/draft-07/schema#" || schema.Properties["listen"] == nil {
		t.Errorf("%s, %v", schema.Schema, schema.Properties["listen"])
	}
}

func reports(output, place, key string) bool {
	for line := range strings.Lines(output) {
		if strings.Contains(line, place) && strings.Contains(line, key) {
			return true
		}
	}
	return false
}

// TestNamelessListenersAreWarnedOf, by `check` and at a start: a
// listener that stands where the API itself would, without default_upstream,
// refuses callers that name no server.
func TestNamelessListenersAreWarnedOf(t *testing.T) {
	t.Parallel()
	const at443 = "127.44.3.12:443"
	probe, err := net.Listen("tcp", at443)
	if err != nil {
		t.Skipf("port 443 cannot be had: %v", err)
	}
	_ = probe.Close()
	const problem = "listen[0]: " + at443 + " cannot answer clients that offer TLS 1.2 and name no server (SNI): they are refused; set default_upstream"
	for listen, warned := range map[string]bool{
		"{address: '" + at443 + "'}":                                      true,
		"{address: '" + at443 + "', default_upstream: api.smsportal.com}": false,
		"{address: '" + at443 + "', accept: [gateway]}":                   false,
		"{address: '" + at443 + "', transparent: true}":                   false,
		"{address: '127.0.0.1:0'}":                                        false,
	} {
		got := harness.Run(t, nil, "check", "--config", harness.TempFile(t, "listen.yaml", "listen: ["+listen+"]\n"))
		if got.Code != 0 || strings.Contains(got.Stdout, "note: "+problem+"\n") != warned {
			t.Errorf("%s: status %d, %s%s", listen, got.Code, got.Stdout, got.Stderr)
		}
	}
	s := harness.Start(t, harness.Options{Config: "listen: [{address: '" + at443 + "'}]"})
	s.WaitLog(harness.Match{"level": "warn", "msg": "configuration", "problem": problem})
}

// TestFlagsStandOverEnvironmentOverFile, and the variables that Kubernetes
// makes for a Service called tlslift are nobody's.
func TestFlagsStandOverEnvironmentOverFile(t *testing.T) {
	t.Parallel()
	environment := []string{"TLSLIFT_LISTEN=127.0.0.2:0", "TLSLIFT_PORT=tcp://10.0.0.1:3128", "TLSLIFT_SERVICE_HOST=10.0.0.1", "TLSLIFT_PORT_3128_TCP_ADDR=10.0.0.1"}
	for name, tt := range map[string]struct {
		options harness.Options
		want    string
	}{
		"file":        {harness.Options{}, "127.0.0.1:0"},
		"environment": {harness.Options{Env: environment}, "127.0.0.2:0"},
		"flag":        {harness.Options{Env: environment, Args: []string{"--listen", "127.0.0.3:0"}}, "127.0.0.3:0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := harness.Start(t, tt.options)
			if got := p.WaitLog(harness.Match{"msg": "listening"}).String("configured"); got != tt.want {
				t.Errorf("listens on %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMisspelledVariableIsAnError(t *testing.T) {
	t.Parallel()
	if got := harness.Run(t, []string{"TLSLIFT_LOG_LEVEL=loud"}, "check"); got.Code != 2 || !strings.Contains(got.Stderr, "TLSLIFT_LOG_LEVEL") {
		t.Errorf("status %d, %q", got.Code, got.Stderr)
	}
}
