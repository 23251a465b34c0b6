package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// TestTooFewFileDescriptors: a limit of connections that the process's file
// descriptors do not allow is said at a start, by check, and when they run out.
func TestTooFewFileDescriptors(t *testing.T) {
	t.Parallel()
	const says = "limits.connections 1000 needs about 2000 file descriptors, and this process may have 64: raise LimitNOFILE (systemd) or ulimit -n, or lower limits.connections"
	under := []string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"}
	p := harness.Start(t, harness.Options{Under: under, Config: "limits: {connections: 1000}"})
	p.WaitLog(harness.Match{"level": "warn", "msg": "configuration", "problem": says})
	var idle []*harness.Caller
	for range 64 {
		idle = append(idle, harness.Dial(t, p.Addr()))
	}
	scrape, err := net.Dial("tcp", p.AdminAddr()) // waits in the kernel
	if err != nil {
		t.Fatal(err)
	}
	defer scrape.Close()
	if line := p.WaitLog(harness.Match{"level": "warn", "msg": "accept failed, trying again"}); line.String("advice") != says {
		t.Errorf("the log says %v", line)
	}

	for _, c := range idle {
		c.Close()
	}
	if status, _ := p.Get("/healthz"); status != 200 {
		t.Errorf("healthz afterwards: %d", status)
	}

	check := func(under ...string) string {
		t.Helper()
		args := append(under, harness.Binary(t), "check", "--config", p.Config)
		command := exec.Command(args[0], args[1:]...)
		command.Env = harness.CleanEnvironment()
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	if out := check(under...); !strings.HasPrefix(out, "note: legacy_tls.ca is not set") || !strings.Contains(out, "\nnote: "+says+"\n") {
		t.Errorf("check: %s", out)
	}
	if out := check(); strings.Contains(out, "descriptors") {
		t.Errorf("check with enough of them: %s", out)
	}
}
