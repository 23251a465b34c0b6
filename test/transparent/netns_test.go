//go:build linux

package transparent

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// Addresses of the test's own little internet, all on the loopback interface of
// its namespace (TEST-NET-3, RFC 5737, and the documentation prefix of RFC 3849).
const (
	portalAddr    = "203.0.113.10"
	portalAddr6   = "2001:db8::10"
	foreignAddr   = "203.0.113.20"
	clientUID     = 65534
	python        = "/usr/bin/python3" // the system's: the clients may read no home directory
	redirectRules = `table inet lab {
  chain out {
    type nat hook output priority -100;
    meta skuid %d tcp dport { 80, 443 } redirect to :%d
  }
}`
)

// namespace is a network namespace in which connections of clientUID to ports
// 80 and 443 are redirected to tlslift, and nobody else's.
type namespace struct{ *harness.Namespace }

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	return &namespace{harness.NewNamespace(t, []string{"nft", "curl", "setpriv", python}, portalAddr, foreignAddr, portalAddr6)}
}

// redirect sends the clients' connections to port.
func (n *namespace) redirect(t *testing.T, port uint16) {
	t.Helper()
	n.Nft(fmt.Sprintf(redirectRules, clientUID, port))
}

// as runs a client in the namespace, as clientUID and without any proxy setting.
func (n *namespace) as(t *testing.T, stdin string, command ...string) (string, error) {
	t.Helper()
	cmd := n.Command(append([]string{"setpriv", fmt.Sprintf("--reuid=%d", clientUID), "--clear-groups"}, command...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
