//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// samplePages are the pages whose commands are run, in order, as a reader would
// type them. A block that cannot run here says why: <!-- not run: why -->.
var samplePages = []string{
	"README.md", "docs/getting-started.md", "docs/choosing-a-way-in.md", "docs/certificates.md", "docs/configuration.md",
	"docs/hosts.md", "docs/kubernetes.md", "docs/migrating.md", "docs/operations.md", "docs/security-model.md",
}

// TestSamplesAreWhatCommandsPrint runs the console blocks of the documentation
// and compares their output with what the page shows. "..." stands for text
// that is left out; times, dates, ports and ids may differ.
func TestSamplesAreWhatCommandsPrint(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: no curl")
	}
	for _, page := range append(samplePages, docs(t, "docs/runbooks/*.md")...) {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join("../..", page))
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(t)
			for _, b := range blocks(string(text)) {
				r.follow(b)
			}
		})
	}
}

// docs are the pages of a pattern, by their paths from the root.
func docs(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("../..", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], "../../")
	}
	return found
}

// TestCommandsExist: each command of tlslift that a page names has the
// subcommands and flags that it writes, whether its block is run or not.
func TestCommandsExist(t *testing.T) {
	t.Parallel()
	written := regexp.MustCompile("(?m)(?:`|^ *[$#>] |\\| )(?:\\./)?tlslift( [a-z-][^`\n|>#]*)")
	tried := map[string]bool{}
	for _, page := range slices.Concat(docs(t, "*.md"), docs(t, "docs/*.md"), docs(t, "docs/fixes/*.md"), docs(t, "docs/runbooks/*.md")) {
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			command := strings.TrimRight(m[1], ` \`)
			if tried[command] {
				continue
			}
			tried[command] = true
			args := append(strings.Fields(strings.TrimSuffix(command, "...")), "value", "--help") // a flag may be the last word
			if out, err := exec.Command(harness.Binary(t), args...).CombinedOutput(); err != nil {
				t.Errorf("%s: tlslift%s: %s", page, command, out)
			}
		}
	}
	if len(tried) < 30 {
		t.Errorf("only %d commands were found", len(tried))
	}
}

// block is one fenced block of a page.
type block struct {
	line     int
	language string
	notRun   string // why
	text     []string
}

var notRun = regexp.MustCompile(`^ *<!-- not run: (.+) -->$`)

// blocks returns the fenced blocks of a page, without their indentation.
func blocks(page string) (found []block) {
	lines := strings.Split(page, "\n")
	for i := 0; i < len(lines); i++ {
		indent, language, fence := strings.Cut(lines[i], "```")
		if !fence {
			continue
		}
		b := block{line: i + 1, language: language}
		if i > 0 {
			if why := notRun.FindStringSubmatch(lines[i-1]); why != nil {
				b.notRun = why[1]
			}
		}
		for i++; strings.TrimSpace(lines[i]) != "```"; i++ {
			b.text = append(b.text, strings.TrimPrefix(lines[i], indent))
		}
		found = append(found, b)
	}
	return found
}

// reader types the commands of one page.
type reader struct {
	t        *testing.T
	dir      string // where they type
	exported []string
	portal   *smsportal.Server
	process  *harness.Process
}

func newReader(t *testing.T) *reader {
	r := &reader{t: t, dir: t.TempDir(), portal: startPortal(t, smsportal.Options{})}
	if err := os.Symlink(harness.Binary(t), filepath.Join(r.dir, "tlslift")); err != nil {
		t.Fatal(err)
	}
	return r
}

// prompt begins a line that is typed.
var prompt = regexp.MustCompile(`^[$#>] `)

// follow does what a block says: types its commands, or writes its file.
func (r *reader) follow(b block) {
	r.t.Helper()
	if b.language != "console" || b.notRun != "" {
		if b.language == "yaml" && strings.HasPrefix(b.text[0], "legacy_tls:") {
			harness.WriteFile(r.t, filepath.Join(r.dir, "tlslift.yaml"), strings.Join(b.text, "\n")+"\n")
		}
		return
	}
	for i := 0; i < len(b.text); {
		command := b.text[i]
		if !strings.HasPrefix(command, "$ ") {
			r.t.Errorf("line %d: a block of the console begins with \"$ \", or with <!-- not run: why --> before it", b.line+1+i)
			return
		}
		for i++; strings.HasSuffix(command, `\`); i++ {
			command = strings.TrimSuffix(command, `\`) + b.text[i]
		}
		end := i
		for end < len(b.text) && !prompt.MatchString(b.text[end]) {
			end++
		}
		r.try(b.line+i, strings.TrimPrefix(command, "$ "), b.text[i:end])
		i = end
	}
}

// try types one command.
func (r *reader) try(line int, command string, shown []string) {
	r.t.Helper()
	command = strings.ReplaceAll(command, "go run ./cmd/tlslift", "tlslift")
	var got string
	switch {
	case command == "make build":
		return // the test's binary is there
	case strings.HasPrefix(command, "export "):
		r.exported = append(r.exported, strings.Fields(r.here(command))[1:]...)
		return
	case strings.HasPrefix(command, "cd "):
		return
	case strings.HasPrefix(command, "cat ") && strings.HasSuffix(command, ".yaml"):
		harness.WriteFile(r.t, filepath.Join(r.dir, command[len("cat "):]), strings.Join(shown, "\n")+"\n")
		return
	case command == "tlslift" || strings.HasPrefix(strings.TrimPrefix(command, "./"), "tlslift run"):
		got = r.start()
	default:
		got = r.run(line, command, len(shown) == 0)
	}
	if want := shownAs(shown); !want.MatchString(alike(r.there(got))) {
		r.t.Errorf("line %d: %s\nshown:\n%s\nprinted:\n%s\ncompared: %s", line, command, strings.Join(shown, "\n"), r.there(got), want)
	}
}

// start starts the proxy in front of a pretend SMSPortal, with what the page's
// tlslift.yaml says, and returns its log.
func (r *reader) start() string {
	r.t.Helper()
	overlay, err := os.ReadFile(filepath.Join(r.dir, "tlslift.yaml"))
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	config := strings.ReplaceAll(string(overlay), "ca/", r.dir+"/ca/")
	r.process = harness.Start(r.t, harness.Options{Upstream: r.portal, Config: config + "\nlog: {level: info}\n"})
	r.process.WaitLog(harness.Match{"msg": "ready"})
	return r.process.Output()
}

// prepare makes what a page takes for granted: a proxy that runs, a CA, a
// manifest with a sidecar.
func (r *reader) prepare(command string) {
	r.t.Helper()
	if r.process == nil && strings.Contains(command, "127.0.0.1:") {
		r.start()
	}
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(r.dir, name))
		return err == nil
	}
	if strings.Contains(command, "--cert ca/") && !there("ca") {
		if out, err := exec.Command(harness.Binary(r.t), "ca", "init", "--dir", filepath.Join(r.dir, "ca")).CombinedOutput(); err != nil {
			r.t.Fatalf("%v\n%s", err, out)
		}
	}
	if strings.Contains(command, "-f with-sidecar.yaml") && !there("with-sidecar.yaml") {
		manifest, err := os.ReadFile("../../deploy/inject/testdata/golden/deployment.injected.yaml")
		if err != nil {
			r.t.Fatal(err)
		}
		harness.WriteFile(r.t, filepath.Join(r.dir, "with-sidecar.yaml"), string(manifest))
	}
}

// run runs a command to its end and returns what it printed; it may fail if the
// page shows how.
func (r *reader) run(line int, command string, succeeds bool) string {
	r.t.Helper()
	r.prepare(command)
	shell := exec.Command("sh", "-c", r.here(command))
	shell.Dir = r.dir
	shell.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "TLSLIFT_") || strings.Contains(strings.ToLower(e), "_proxy=")
	}), append(r.exported, "PATH="+r.dir+":"+os.Getenv("PATH"))...)
	var out, progress bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &progress
	if err := shell.Run(); err != nil && succeeds {
		r.t.Errorf("line %d: %s: %v\n%s%s", line, command, err, &out, &progress)
	}
	if strings.HasPrefix(command, "curl ") {
		return out.String() // without the progress
	}
	return out.String() + progress.String()
}

// here puts the addresses of the test's process in the place of the page's.
func (r *reader) here(text string) string {
	if r.process == nil {
		return text
	}
	return strings.NewReplacer("127.0.0.1:3128", r.process.Addr(), "127.0.0.1:9128", r.process.AdminAddr()).Replace(text)
}

// there is the other way round.
func (r *reader) there(text string) string {
	if r.process == nil {
		return text
	}
	text = strings.ReplaceAll(text, `"configured":"127.0.0.1:0"`, `"configured":"127.0.0.1:3128"`)
	return strings.NewReplacer(r.process.Addr(), "127.0.0.1:3128", r.process.AdminAddr(), "127.0.0.1:9128").Replace(text)
}

var (
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?`)
	anyDate = regexp.MustCompile(`\d{4}-\d\d-\d\d`)
	anyPort = regexp.MustCompile(`127\.0\.0\.1:[1-9]\d{4}\b`)
)

// alike takes out what differs from run to run.
func alike(text string) string {
	text = anyTime.ReplaceAllString(strings.TrimRight(text, "\n"), "TIME")
	return anyPort.ReplaceAllString(anyDate.ReplaceAllString(text, "DATE"), "PORT")
}

// shownAs is a pattern of the output that a page shows.
func shownAs(lines []string) *regexp.Regexp {
	parts := strings.Split(alike(strings.Join(lines, "\n")), "...")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(fmt.Sprintf(`(?s)\A%s\z`, strings.Join(parts, ".*")))
}
