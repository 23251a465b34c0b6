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

// A user of the service that may not read the state file, or write where it belongs,
// finds out by the check, not by the first failed write.
func TestCheckNotesAStateFileThatItsUserCannotUse(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tlslift-e2e-") // which another user can reach
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	keep, config := filepath.Join(dir, "keep"), filepath.Join(dir, "tlslift.yaml")
	file := filepath.Join(keep, "ledger.json")
	harness.WriteFile(t, config, "state: {file: keep/ledger.json}\n")
	binary, err := os.Open(harness.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	if err := os.Mkdir(keep, 0o700); err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, file, "")
	harness.WriteFile(t, file+".lock", "")
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Chmod(config, 0o644),
		os.Chmod(file, 0), os.Chmod(file+".lock", 0), os.Chmod(keep, 0o555),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("/proc/self/fd/3", "check", "--config", config)
	command.ExtraFiles, command.Dir, command.Env = []*os.File{binary}, "/", []string{"HOME=/"}
	if os.Getuid() == 0 { // root can read and write everywhere
		const nobody = 65534
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v", err)
	}
	for _, want := range []string{
		"note: state.file: this user cannot write to the directory " + keep + ": ",
		"note: state.file: this user cannot open " + file + ": permission denied: the user that runs tlslift must be able to",
		"note: state.file: this user cannot open " + file + ".lock: permission denied: ",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
}
