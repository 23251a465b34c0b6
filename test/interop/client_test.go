package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// client is one real caller.
type client struct {
	name  string
	tools []string // what must be installed
	check string   // further requirement: a command that must succeed
	raw   bool     // sends raw spaces in the request line
	posts bool     // POST only

	// command makes the requests of a call.
	command func(c call) []string
	env     []string
}

// call is what a client is asked to do; see clients/README.md.
type call struct {
	proxy  string // host:port of tlslift
	built  string // where compiled programs are
	method string
	url    string
	body   string
	count  int
}

// clients are the callers that see plain HTTP.
var clients = []client{
	{name: "curl", tools: []string{"curl"}, command: curl()},
	{name: "curl HTTP/1.0", tools: []string{"curl"}, command: curl("--http1.0")},
	{name: "wget", tools: []string{"wget"}, command: wget},
	{name: "PHP curl", tools: []string{"php"}, check: "php -r 'exit(extension_loaded(\"curl\") ? 0 : 1);'", command: script("php", "curl.php")},
	{name: "PHP curl multipart", tools: []string{"php"}, check: "php -r 'exit(extension_loaded(\"curl\") ? 0 : 1);'", posts: true, command: script("php", "multipart.php")},
	{name: "PHP streams", tools: []string{"php"}, raw: true, command: script("php", "streams.php")},
	{name: "PHP streams, full URI", tools: []string{"php"}, raw: true, command: script("php", "streams.php"), env: []string{"TLSLIFT_FULL_URI=1"}},
	{name: "Python urllib", tools: []string{"python3"}, command: script("python3", "client.py")},
	{name: "Ruby Net::HTTP", tools: []string{"ruby"}, command: script("ruby", "client.rb")},
	{name: "Perl LWP", tools: []string{"perl"}, check: "perl -MLWP::UserAgent -e 1", command: script("perl", "client.pl")},
	{name: "Java HttpURLConnection", tools: []string{"java", "javac"}, raw: true, command: java},
	{name: "Mono WebClient", tools: []string{"mono", "mcs"}, command: mono},
	{name: "node 0.12", tools: []string{"node-0.12.0"}, command: node},
}

func curl(options ...string) func(call) []string {
	return func(c call) []string {
		arguments := append([]string{"curl", "-sS", "-x", "http://" + c.proxy}, options...)
		for i, url := range c.urls() {
			if i > 0 {
				arguments = append(arguments, "--next", "-sS", "-x", "http://"+c.proxy)
				arguments = append(arguments, options...)
			}
			if c.method == "POST" {
				arguments = append(arguments, "--data-binary", numbered(c.body, i))
			}
			arguments = append(arguments, "--globoff", url)
		}
		return arguments
	}
}

func wget(c call) []string {
	arguments := []string{"env", "http_proxy=http://" + c.proxy, "wget", "-q", "--tries=3", "--content-on-error", "-O", "-"}
	if c.method == "POST" { // one body for all of its requests
		commands := make([]string, c.count)
		for i, url := range c.urls() {
			commands[i] = quote(append(arguments, "--post-data="+numbered(c.body, i), url)) + " || [ $? -eq 8 ]"
		}
		return []string{"sh", "-c", strings.Join(commands, " && ")}
	}
	return []string{"sh", "-c", quote(append(arguments, c.urls()...)) + " || [ $? -eq 8 ]"} // 8: an error status
}

func script(runtime, file string) func(call) []string {
	return func(c call) []string {
		return append([]string{runtime, filepath.Join("clients", file)}, c.arguments()...)
	}
}

func java(c call) []string {
	host, port, _ := strings.Cut(c.proxy, ":")
	return append([]string{"java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Dhttp.proxyHost=" + host, "-Dhttp.proxyPort=" + port, "-cp", c.built, "Client"}, c.arguments()...)
}

func mono(c call) []string {
	return append([]string{"mono", filepath.Join(c.built, "client.exe")}, c.arguments()...)
}

func node(c call) []string {
	program, _ := find("node-0.12.0")
	return append([]string{program, filepath.Join("clients", "client.js")}, c.arguments()...)
}

func (c call) arguments() []string {
	return []string{c.method, c.url, c.body, fmt.Sprint(c.count)}
}

func (c call) urls() []string {
	urls := make([]string, c.count)
	for i := range urls {
		urls[i] = numbered(c.url, i)
	}
	return urls
}

func numbered(text string, n int) string { return strings.ReplaceAll(text, "{n}", fmt.Sprint(n)) }

func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

// cacheVariable names the directory that install.sh put node 0.12.0 into.
const cacheVariable = "TLSLIFT_CLIENTS"

func find(tool string) (string, error) {
	if tool == "node-0.12.0" {
		tool = filepath.Join(os.Getenv(cacheVariable), tool, "bin", "node")
	}
	return exec.LookPath(tool)
}

// need skips the test, or fails it, when the client is not installed.
func (c client) need(t *testing.T) {
	t.Helper()
	missing := ""
	for _, tool := range c.tools {
		if _, err := find(tool); err != nil {
			missing = tool
		}
	}
	if missing == "" && c.check != "" && exec.Command("sh", "-c", c.check).Run() != nil {
		missing = c.name
	}
	switch {
	case missing == "":
	case os.Getenv(requireVariable) == "require":
		t.Fatalf("%s is not installed; run test/interop/install.sh", missing)
	default:
		absent.add(missing)
		t.Skipf("%s is not installed", missing)
	}
}

// run makes a client do a call and returns what it printed.
func (c client) run(t *testing.T, what call) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*harness.Patience)
	defer cancel()
	words := c.command(what)
	command := exec.CommandContext(ctx, words[0], words[1:]...)
	command.Env = append(os.Environ(), "TLSLIFT_PROXY="+what.proxy, "no_proxy=", "NO_PROXY=", "MONO_TLS_PROVIDER=btls")
	command.Env = append(command.Env, c.env...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		t.Errorf("%s: %v\n%s", c.name, err, stderr.String())
	}
	return stdout.String()
}

// compile builds what needs building, once for all tests.
func compile(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for tool, arguments := range map[string][]string{
		"javac": {"-nowarn", "-d", dir, filepath.Join("clients", "Client.java")},
		"mcs":   {"-out:" + filepath.Join(dir, "client.exe"), filepath.Join("clients", "client.cs")},
	} {
		path, err := exec.LookPath(tool)
		if err != nil {
			continue // its client says so
		}
		if output, err := exec.Command(path, arguments...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", tool, err, output)
		}
	}
	return dir
}
