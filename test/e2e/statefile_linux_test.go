package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tlslift/test/harness"
)

// A user of the service that may not write where the state file belongs finds out
// by the check, not by the first failed write.
func TestCheckNotesADirectoryThatItCannotWriteTo(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tlslift-e2e-") // which another user can reach
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	keep, config := filepath.Join(dir, "keep"), filepath.Join(dir, "tlslift.yaml")
	harness.WriteFile(t, config, "state: {file: keep/ledger.json}\n")
	binary, err := os.Open(harness.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, err := range []error{os.Mkdir(keep, 0o500), os.Chmod(dir, 0o755), os.Chmod(keep, 0o555), os.Chmod(config, 0o644)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("/proc/self/fd/3", "check", "--config", config)
	command.ExtraFiles, command.Dir, command.Env = []*os.File{binary}, "/", []string{"HOME=/"}
	if os.Getuid() == 0 { // root can write everywhere
		const nobody = 65534
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := command.CombinedOutput()
	if want := "this user cannot write to the directory " + keep; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v\n%s", err, out)
	}
}
