package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
)

// runReport runs "tlslift report" as main would, and gives what it printed,
// the error's text and the exit status.
func runReport(args ...string) (out, problem string, status int) {
	cmd := newReportCommand()
	var b bytes.Buffer
	cmd.SetArgs(append([]string{}, args...)) // cobra takes nil for the arguments of the test
	cmd.SetOut(&b)
	cmd.SetErr(&b)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(context.Background())
	if err == nil {
		return b.String(), "", exitDone
	}
	return b.String(), err.Error(), statusOf(err)
}

// stateFile is a ledger's file with an insecure and a migrated client.
func stateFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.json")
	l := ledger.New(ledger.Options{File: path})
	l.Record(&call.Outcome{
		Client: call.Identity{Name: "shop/web", Source: call.SourceWorkload}, End: time.Now(), Ours: true, Ingress: call.Forward,
	})
	l.Record(&call.Outcome{
		Kind: call.Observed, Client: call.Identity{Name: "10.0.0.1", Source: call.SourceAddress}, End: time.Now(),
		Observation: &call.Observation{Ours: true, Version: call.Version13, Handling: call.Spliced},
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReport(t *testing.T) {
	t.Parallel()
	state := stateFile(t)
	owners := filepath.Join(t.TempDir(), "owners.yaml")
	if err := os.WriteFile(owners, []byte("shop/*: jane\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		args   []string
		out    string // a part of it
		not    string
		status int
	}{
		{"table", []string{"--state", state}, "shop/web", "", exitDone},
		{"only", []string{"--state", state, "--only", "migrated"}, "10.0.0.1", "shop/web", exitDone},
		{"owners", []string{"--state", state, "--owners", owners, "--by-owner"}, "jane (1 client, ", "", exitDone},
		{"csv", []string{"--state", state, "--format", "csv"}, "shop/web,workload,shop,insecure", "", exitDone},
		{"fails", []string{"--state", state, "--fail-if", "insecure,mixed", "--only", "migrated"}, "10.0.0.1", "shop/web", exitFailed},
		{"two instances", []string{"--state", state, "--state", stateFile(t), "--format", "json"}, `"count": 2`, "", exitDone},
		{"does not fail", []string{"--state", state, "--fail-if", "regressed,silent"}, "shop/web", "", exitDone},
	} {
		out, problem, status := runReport(c.args...)
		if status != c.status || !strings.Contains(out, c.out) || c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%s: %d, %s\n%s", c.name, status, problem, out)
		}
	}
}

func TestReportToAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.html")
	if out, problem, status := runReport("--state", stateFile(t), "--format", "html", "-o", file); status != exitDone || out != "" {
		t.Fatalf("%d, %s, %s", status, problem, out)
	}
	if data, err := os.ReadFile(file); err != nil || !bytes.Contains(data, []byte("</html>")) {
		t.Errorf("the file: %v", err)
	}
}

// A report to - goes to standard output, as it does without a file.
func TestReportToStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	state := stateFile(t)
	out, problem, status := runReport("--state", state, "--format", "csv", "-o", "-")
	if status != exitDone || !strings.Contains(out, "shop/web,workload,shop,insecure") {
		t.Errorf("%d, %s, %s", status, problem, out)
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("a file called - was written")
	}
}

// A report replaces an earlier one, and no file that cannot be made again.
func TestReportSparesWhatCannotBeMadeAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if out, status := runCA("init", "--dir", filepath.Join(dir, "ca")); status != exitDone {
		t.Fatalf("%d, %s", status, out)
	}
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	state, other, key := stateFile(t), stateFile(t), filepath.Join(dir, "ca", "ca-key.pem")
	newer := file("newer.json", strings.Replace(string(contentOf(other)), `"version":`, `"version":9`, 1))
	owners, token := file("owners.yaml", "shop/*: jane\n"), file("token", "secret\n")
	shipped, err := os.ReadFile("../../configs/tlslift.yaml")
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(state, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		out  string
		want string
	}{
		{[]string{"--state", state}, state, "it is the file of --state"},
		{[]string{"--state", other, "--state", state}, state, "it is the file of --state"},
		{[]string{"--state", state}, link, "it is the file of --state"},
		{[]string{"--state", state, "--owners", owners}, owners, "it is the file of --owners"},
		{[]string{"--admin", "http://127.0.0.1:1", "--token-file", token}, token, "it is the file of --token-file"},
		{[]string{"--prometheus", "http://127.0.0.1:1", "--user", "x", "--password-file", token}, token, "it is the file of --password-file"},
		{[]string{"--state", state}, key, "it holds a private key"},
		{[]string{"--state", state}, other, "it is a ledger of tlslift"},
		{[]string{"--state", state}, newer, "it is a ledger of tlslift"},
		{[]string{"--state", state}, file("tlslift.yaml", string(shipped)), "it is a configuration of tlslift"},
		{[]string{"--state", state}, file("mistakes.yaml", "others: pas\nlimits: {}\nlisen: []\n"), "it is a configuration of tlslift"},
	} {
		before := string(contentOf(c.out))
		_, problem, status := runReport(append(c.args, "--output", c.out)...)
		if want := "--output " + c.out + ": " + c.want + ", which would be overwritten; name another file"; status != exitUsage || problem != want {
			t.Errorf("%v --output %s: %d, %s; want %s", c.args, c.out, status, problem, want)
		}
		if string(contentOf(c.out)) != before {
			t.Errorf("%s was overwritten", c.out)
		}
	}
	for _, format := range []string{"table", "csv", "json", "markdown", "html"} {
		out := filepath.Join(dir, format)
		for range 2 {
			if _, problem, status := runReport("--state", state, "--format", format, "--output", out); status != exitDone {
				t.Errorf("an earlier report as %s is not replaced: %d, %s", format, status, problem)
			}
		}
	}
}

func TestReportRefusesWrongUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "give one source: --admin URL and --state FILE, which you can repeat and mix, or --prometheus URL"},
		{[]string{"--state", "a", "--prometheus", "http://b"}, "or --prometheus"},
		{[]string{"--admin", "http://b", "--prometheus", "http://b"}, "or --prometheus"},
		{[]string{"--state", "a", "--format", "pdf"}, `--format "pdf"`},
		{[]string{"--state", "a", "--only", "fine"}, `--only: unknown state "fine"`},
		{[]string{"--state", "a", "--fail-if", "fine"}, `--fail-if: unknown state "fine"`},
		{[]string{"--state", "a", "--fail-if", ""}, `--fail-if names no state`},
		{[]string{"--state", "a", "--fail-if", "insecure,"}, `--fail-if: unknown state ""`},
		{[]string{"--state", "a", "--only", ""}, `--only names no state`},
		{[]string{"--state", "a", "--migrated-after", "soon"}, `--migrated-after "soon"`},
		{[]string{"--admin", "http://b", "--migrated-after", "3d"}, "--migrated-after is for several instances, --state, and --prometheus"},
		{[]string{"--admin", "http://b", "--token-file", "/does/not/exist"}, "--token-file"},
		{[]string{"--admin", "http://b", "--user", "x"}, "--user and --password-file are for --prometheus"},
		{[]string{"--state", "a", "--password-file", "x"}, "--user and --password-file are for --prometheus"},
		{[]string{"--prometheus", "http://b", "--password-file", "x"}, "--password-file needs --user"},
		{[]string{"--prometheus", "http://b", "--user", "x", "--token-file", "x"}, "give --token-file, or --user and --password-file"},
		{[]string{"--state", "a", "--token-file", "x"}, "a state file needs no token"},
		{[]string{"--state", "a", "--lookback", "30d"}, "--lookback is for --prometheus"},
		{[]string{"--state", "a", "--by-owner", "--format", "csv"}, "--by-owner: csv has the owner of each client"},
		{[]string{"--state", "a", "--by-owner", "--format", "json"}, "--by-owner: json has the owner of each client"},
		{[]string{"--state", "a", "--owners", "."}, "--owners: read ."},
		{[]string{"--prometheus", "http://127.0.0.1:1/?token=hunter2"}, "prometheus: write an address of the form http://host:port, without a query or fragment (? or #)"},
		{[]string{"--prometheus", "http://127.0.0.1:1/#hunter2"}, "without a query or fragment (? or #)"},
		{[]string{"--admin", "127.0.0.1:1/?token=hunter2"}, "admin address: write an address of the form http://host:port, without a query or fragment (? or #)"},
		{[]string{"--admin", "http://me:hunter2@127.0.0.1:1?"}, "without a query or fragment (? or #)"},
	} {
		if _, problem, status := runReport(c.args...); status != exitUsage || !strings.Contains(problem, c.want) || strings.Contains(problem, "hunter2") {
			t.Errorf("%v: %d, %s", c.args, status, problem)
		}
	}
	same := stateFile(t)
	if _, problem, status := runReport("--state", same, "--state", same); status != exitFailed || !strings.Contains(problem, "is given twice") {
		t.Errorf("one file twice: %d, %s", status, problem)
	}
	if _, problem, status := runReport("--state", filepath.Join(t.TempDir(), "none")); status != exitFailed || !strings.Contains(problem, "there is no state file") {
		t.Errorf("a missing file: %d, %s", status, problem)
	}
}

func TestFailIfSaysHowManyInWords(t *testing.T) {
	t.Parallel()
	state := stateFile(t)
	for states, want := range map[string]string{
		"insecure": "1 client is insecure", "insecure,mixed,regressed": "1 client is insecure, mixed or regressed",
		"insecure,migrated": "2 clients are insecure or migrated",
	} {
		if _, problem, _ := runReport("--state", state, "--fail-if", states); problem != want {
			t.Errorf("%s: %q, want %q", states, problem, want)
		}
	}
}

func TestReportFailsOnAPrometheusWithoutTlslift(t *testing.T) {
	t.Parallel()
	empty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"success","data":{"resultType":"vector","result":[]}}`))
	}))
	defer empty.Close()
	out, problem, status := runReport("--prometheus", empty.URL, "--fail-if", "insecure,mixed,regressed")
	if status != exitFailed || out != "" || !strings.Contains(problem, "no series of tlslift") {
		t.Errorf("%d, %q, %q", status, problem, out)
	}
}
