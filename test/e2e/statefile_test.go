package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/test/harness"
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
		"a CSV":             {"apps.csv", "a,b\n", 2, `apps.csv" is not a ledger of tlslift: the proxy would rename it and begin a new one; name a file that does not exist`},
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
