package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// A name that leads to something else must not cost that: check refuses what is
// no ledger, and nothing that the configuration needs is ever renamed.
func TestCheckOfAStateFile(t *testing.T) {
	t.Parallel()
	const damaged = `{"format":"tlslift-ledger","version":1,"written":"2026-03-01T00:00:00Z","sha256":"00"}` + "\n"
	for name, c := range map[string]struct {
		file, content string // content "" = nothing is there
		code          int
		says          string
	}{
		"new":               {"ledger.json", "", 0, "configuration ok"},
		"a directory":       {"keep", "/", 2, `keep" is a directory; name a file in it, such as DIR/keep/ledger.json`},
		"a CSV":             {"apps.csv", "a,b\n", 2, `apps.csv" is not a tlslift ledger: the proxy would rename it and begin a new one; name a file that does not exist`},
		"the configuration": {"tlslift.yaml", "", 2, `tlslift.yaml" is this configuration itself`},
		"the admin's token": {"token", "", 2, `token" is admin.token_file already`},
		"a damaged ledger":  {"ledger.json", damaged, 0, "note: state.file: DIR/ledger.json: its checksum is wrong: it was damaged or cut short; the proxy would rename it and begin a new ledger"},
		"a home directory":  {"~/ledger.json", "", 2, "~ is not expanded; write the whole path"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			config := filepath.Join(dir, "tlslift.yaml")
			harness.WriteFile(t, config, "admin: {token_file: token}\nstate: {file: "+c.file+"}\n")
			harness.WriteFile(t, filepath.Join(dir, "token"), "a-long-random-word\n")
			switch c.content {
			case "":
			case "/":
				if err := os.Mkdir(filepath.Join(dir, c.file), 0o700); err != nil {
					t.Fatal(err)
				}
			default:
				harness.WriteFile(t, filepath.Join(dir, c.file), c.content)
			}
			got := harness.Run(t, nil, "check", "--config", config)
			if says := strings.ReplaceAll(c.says, "DIR", dir); got.Code != c.code || !strings.Contains(got.Stdout+got.Stderr, says) {
				t.Errorf("status %d; stdout %q stderr %q", got.Code, got.Stdout, got.Stderr)
			}
		})
	}
}

// A directory stays where it is: the proxy runs on, without keeping its ledger.
func TestRunWithADirectoryForAStateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keep"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Options{Config: "state: {file: " + filepath.Join(dir, "keep") + "}"})
	line := p.WaitLog(harness.Match{"msg": "the state file cannot be used; the ledger is kept in memory only"})
	if got := line.String("error"); got != "it is a directory" || line.String("level") != "error" {
		t.Errorf("logged %v", line)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("status %d", code)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) != 1 || there[0].Name() != "keep" {
		t.Errorf("there is %v, %v", there, err)
	}
}

// At the end nothing is tried again: what is lost is said, once.
func TestAStateFileThatCannotBeWrittenAtTheEnd(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	_, p := portal(t, smsportal.Options{}, "state: {file: "+state+"}")
	p.WaitMetric(1, lastWrite)
	if err := os.MkdirAll(filepath.Join(state+".new", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.Ask("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
	if code := p.Stop(); code != 0 {
		t.Errorf("status %d", code)
	}
	lines := p.Lines(0, harness.Match{"level": "error"})
	if len(lines) != 1 || lines[0].String("msg") != "the ledger was not written at the end: what changed since the last write is lost" ||
		!strings.HasPrefix(lines[0].String("error"), "writing the state file: ") {
		t.Errorf("logged %v", lines)
	}
}

// A ledger that cannot be read at the start, as one of another user, stays where it
// is; as soon as it can be read, its clients are adopted.
func TestAStateFileThatIsReadLater(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "ledger.json")
	config := "state: {file: " + state + "}"
	server, first := portal(t, smsportal.Options{}, config)
	const ask = "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	for range 3 {
		first.Ask(ask)
	}
	first.WaitMetric(3, requestsTotal)
	if code := first.Stop(); code != 0 {
		t.Fatalf("status %d", code)
	}
	hidden := state + ".hidden"
	// A symbolic link that leads to itself is one that nobody can read, not even root.
	if err := errors.Join(os.Rename(state, hidden), os.Symlink(state, state)); err != nil {
		t.Skip("needs symbolic links: ", err)
	}
	p := harness.Start(t, harness.Options{Upstream: server, Config: config})
	line := p.WaitLog(harness.Match{"level": "error", "file": state})
	if line.String("msg") != "writing the state file failed; it is tried again" || !strings.HasPrefix(line.String("error"), "it is not replaced, because it cannot be read: open "+state) {
		t.Errorf("logged %v", line)
	}
	p.Ask(ask)
	p.WaitMetric(1, requestsTotal)
	if n := remembered(t, p); n != 1 {
		t.Errorf("%v requests are known before it was read", n)
	}
	const notWritten = "The ledger is not written to its file, so a restart loses what is not in the file"
	if text := ready(t, p); text != "ready\n"+notWritten+"; the log and the status page say why.\n" {
		t.Errorf("/readyz: %q", text)
	}
	if _, page := p.Get("/"); !strings.Contains(page, notWritten+": it is not replaced, because it cannot be read: open "+state) {
		t.Error("the status page does not say why")
	}
	if err := os.Rename(hidden, state); err != nil {
		t.Fatal(err)
	}
	p.WaitLog(harness.Match{"level": "info", "msg": "the state file is written again"})
	if n := remembered(t, p); n != 4 {
		t.Errorf("%v requests are remembered, want 4", n)
	}
	if text := ready(t, p); text != "ready\n" {
		t.Errorf("/readyz afterwards: %q", text)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("status %d", code)
	}
	if aside, _ := filepath.Glob(state + ".*"); len(aside) != 1 { // its lock
		t.Errorf("beside it are %v", aside)
	}
}
