package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// program is one in the manner of SMSPortal's callers; see programs/README.md.
type program struct {
	name    string
	needs   []requirement
	words   []string // before the arguments; BUILT is where compiled ones are
	trims   bool     // its URL may begin with a space
	heeds   bool     // it heeds http_proxy for a URL of this machine
	method  string
	reports reports
}

// requirement is something to install: a command that must succeed.
type requirement struct{ name, check string }

// systemPython is the distribution's own, which has the distribution's modules.
const systemPython = "/usr/bin/python3"

func has(commands ...string) []requirement {
	var all []requirement
	for _, command := range commands {
		all = append(all, requirement{command, "command -v " + command})
	}
	return all
}

func module(name, check string) requirement { return requirement{name, check} }

// reports is what a program makes of an answer that is no message sent: a part
// of the line that it prints, by the case.
type reports struct {
	refused string // the API itself: 200 and <result>False</result>
	notSent string // tlslift: 502 and not_sent
	unknown string // tlslift: 502 and unknown
}

var programs = []program{
	{
		name: "PHP file_get_contents", needs: has("php"), words: []string{"php", "programs/contents.php"}, method: "GET",
		reports: reports{"sent", "502 Bad Gateway (tlslift: connect, not_sent)", "502 Bad Gateway (tlslift: reset, unknown)"},
	},
	{
		name: "PHP curl", words: []string{"php", "programs/form.php"}, method: "POST", heeds: true,
		needs:   append(has("php"), module("php-curl and php-xml", `php -r 'exit(extension_loaded("curl") && extension_loaded("simplexml") ? 0 : 1);'`)),
		reports: reports{"failed: No data to send", "not_sent", "unknown"},
	},
	{
		name: "Java HttpURLConnection", needs: has("java", "javac"), words: []string{"java", "-XX:TieredStopAtLevel=1", "-cp", "BUILT", "Sender"}, trims: true, method: "GET",
		reports: reports{"failed: <api_result>", "failed: java.io.IOException: Server returned HTTP response code: 502", "failed: java.io.IOException: Server returned HTTP response code: 502"},
	},
	{
		name: "Mono HttpWebRequest", needs: has("mono", "mcs"), words: []string{"mono", "BUILT/sender.exe"}, trims: true, method: "GET",
		reports: reports{"failed: <api_result>", "(502) Bad Gateway (tlslift: connect, not_sent)", "(502) Bad Gateway (tlslift: reset, unknown)"},
	},
	{
		name: "Python urllib", needs: has("python3"), words: []string{"python3", "programs/sender.py"}, method: "POST", heeds: true,
		reports: reports{"failed: No data to send", "HTTP Error 502: Bad Gateway (tlslift: connect, not_sent)", "HTTP Error 502: Bad Gateway (tlslift: reset, unknown)"},
	},
	{
		name: "Python requests", words: []string{systemPython, "programs/status.py"}, trims: true, heeds: true, method: "GET",
		needs:   append(has(systemPython), module("python3-requests", systemPython+" -c 'import requests'")),
		reports: reports{"sent", "502 Bad Gateway (tlslift: connect, not_sent)", "502 Bad Gateway (tlslift: reset, unknown)"},
	},
	{
		name: "Node http", needs: has("node"), words: []string{"node", "programs/sender.js"}, trims: true, method: "GET",
		reports: reports{"failed: No data to send", "not_sent", "unknown"},
	},
	{
		name: "Ruby Net::HTTP", needs: has("ruby"), words: []string{"ruby", "programs/sender.rb"}, method: "GET",
		reports: reports{"failed: No data to send", "not_sent", "unknown"},
	},
	{
		name: "Perl LWP", words: []string{"perl", "programs/sender.pl"}, trims: true, method: "POST",
		needs:   append(has("perl"), module("LWP", "perl -MLWP::UserAgent -e 1")),
		reports: reports{"failed: <api_result>", "502 Bad Gateway (tlslift: connect, not_sent)", "502 Bad Gateway (tlslift: reset, unknown)"},
	},
}

// need skips the test, or fails it, when something is not installed.
func need(t *testing.T, requirements []requirement) {
	t.Helper()
	for _, r := range requirements {
		switch {
		case exec.Command("sh", "-c", r.check).Run() == nil:
		case os.Getenv(requireVariable) == "require":
			t.Fatalf("%s is not installed; run test/interop/install.sh", r.name)
		default:
			absent.add(r.name)
			t.Skipf("%s is not installed", r.name)
		}
	}
}

// command is a program's command line.
func (p *program) command(built string, arguments ...string) []string {
	var words []string
	for _, word := range p.words {
		words = append(words, strings.Replace(word, "BUILT", built, 1))
	}
	return append(words, arguments...)
}

// output runs a command with no proxy settings but those given, and returns
// what it prints.
func output(t *testing.T, words []string, env ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*harness.Patience)
	defer cancel()
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Env = append(plainEnvironment(), env...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Errorf("%s: %v\n%.2000s", strings.Join(words, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String())
}

// plainEnvironment has no proxy settings.
func plainEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(strings.ToLower(entry), "=")
		return strings.HasSuffix(name, "_proxy")
	})
}

// built compiles the programs that have to be.
func built(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{
		{"javac", "-nowarn", "-d", dir, "programs/Sender.java"},
		{"mcs", "-out:" + dir + "/sender.exe", "programs/sender.cs"},
	} {
		if _, err := exec.LookPath(words[0]); err == nil { // else its program says so
			output(t, words)
		}
	}
	return dir
}

// TestProgramsWithABaseURL: programs that know nothing but their endpoint are
// pointed here by it, with the API's host in the path or a listener that stands
// for it, with and without HTTP_PROXY, and with a space before the URL.
func TestProgramsWithABaseURL(t *testing.T) {
	server, err := smsportal.New(smsportal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := harness.Start(t, harness.Options{Upstream: server, Config: `
listen:
  - {address: "127.0.0.1:0"}
  - {address: "127.0.0.1:0", default_upstream: legacy.mymobileapi.com}
`})
	dir := built(t)
	inPath := "http://" + p.ListenAddr(0) + "/api.smsportal.com/api5/http5.aspx"
	byListener := "http://" + p.ListenAddr(1) + "/api5/http5.aspx"
	proxy := []string{"http_proxy=http://" + p.ListenAddr(0)}
	calls := 0.0
	for _, program := range programs {
		t.Run(program.name, func(t *testing.T) {
			need(t, program.needs)
			ingress := "gateway"
			if program.heeds {
				ingress = "forward" // in absolute form, to the proxy's own address
			}
			for _, c := range []struct {
				name, endpoint, host, ingress string
				env                           []string
				skip                          bool
			}{
				{name: "path", endpoint: inPath, host: "api.smsportal.com", ingress: "gateway"},
				{name: "listener", endpoint: byListener, host: "legacy.mymobileapi.com", ingress: "gateway"},
				{name: "path and proxy", endpoint: inPath, host: "api.smsportal.com", ingress: ingress, env: proxy},
				{name: "space", endpoint: " " + inPath, host: "api.smsportal.com", ingress: "gateway", skip: !program.trims},
			} {
				if c.skip {
					continue
				}
				server.Reset()
				mark, counted := p.Mark(), p.Metrics().Sum("tlslift_request_duration_seconds", "ingress", c.ingress)
				id := strings.ReplaceAll(program.name+" "+c.name, " ", "-")
				if said := output(t, program.command(dir, c.endpoint, id), c.env...); said != "sent" {
					t.Errorf("%s: it says %q", c.name, said)
					continue
				}
				seen := server.Requests()
				if len(seen) != 1 || seen[0].Method != program.method || seen[0].Host() != c.host || !strings.HasPrefix(seen[0].Target+"?", "/api5/http5.aspx?") {
					t.Errorf("%s: the API saw %d requests, first %s %s of %s", c.name, len(seen), seen[0].Method, seen[0].Target, seen[0].Host())
				}
				if len(server.Sends()) != 1 || len(server.Doubles()) != 0 || len(seen[0].Messages) != 1 || seen[0].Messages[0].CustomerID != id {
					t.Errorf("%s: sent %v", c.name, server.Sends())
				}
				line := p.In(t).WaitLogAfter(mark, harness.Match{"msg": "request"})
				if line.String("host") != c.host || line.String("ingress") != c.ingress || line.String("path") != "/api5/http5.aspx" || line.String("api_type") != "sendparam" {
					t.Errorf("%s: %v", c.name, line)
				}
				p.In(t).WaitMetric(counted+1, "tlslift_request_duration_seconds", "ingress", c.ingress)
				calls++
			}
		})
	}
	if n := p.Metrics().Sum("tlslift_client_requests_total", "client", "127.0.0.1", "tls_version", "none", "insecure", "true"); n != calls {
		t.Errorf("%v requests in clear are counted, %v were made", n, calls)
	}
	if _, row := p.Get("/api/v1/clients/127.0.0.1"); !strings.Contains(row, `"verdict":"plaintext"`) || strings.Contains(row, "falls_back_to_clear") {
		t.Errorf("a caller by base URL is shown as %s", row)
	}
}
