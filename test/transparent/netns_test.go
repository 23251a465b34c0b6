//go:build linux

package transparent

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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
type namespace struct{ name string }

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	if reason := cannot(); reason != "" {
		if os.Getenv("TLSLIFT_NETNS") == "require" {
			t.Fatal("TLSLIFT_NETNS=require, but " + reason)
		}
		t.Skip("SKIPPED, nothing was proved: " + reason)
	}
	n := &namespace{name: fmt.Sprintf("tlslift-%d", os.Getpid())}
	run(t, "ip", "netns", "add", n.name)
	t.Cleanup(func() { run(t, "ip", "netns", "delete", n.name) })
	for _, args := range []string{
		"link set lo up",
		"addr add " + portalAddr + "/32 dev lo",
		"addr add " + foreignAddr + "/32 dev lo",
		"-6 addr add " + portalAddr6 + "/128 dev lo nodad",
	} {
		run(t, "ip", append([]string{"-n", n.name}, strings.Fields(args)...)...)
	}
	return n
}

// cannot says why namespaces cannot be made here; "" = they can.
func cannot() string {
	if os.Geteuid() != 0 {
		return "it takes root to make a network namespace"
	}
	for _, tool := range []string{"ip", "nft", "curl", "setpriv", python} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is missing (apt install iproute2 nftables curl util-linux python3)"
		}
	}
	return ""
}

// redirect sends the clients' connections to port.
func (n *namespace) redirect(t *testing.T, port uint16) {
	t.Helper()
	cmd := exec.Command("ip", "netns", "exec", n.name, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(fmt.Sprintf(redirectRules, clientUID, port))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("nft: %v\n%s", err, out)
	}
}

// as runs a client in the namespace, as clientUID and without any proxy setting.
func (n *namespace) as(t *testing.T, stdin string, command ...string) (string, error) {
	t.Helper()
	args := append([]string{"netns", "exec", n.name, "setpriv", fmt.Sprintf("--reuid=%d", clientUID), "--clear-groups"}, command...)
	cmd := exec.Command("ip", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// inside runs f on a thread that has entered the namespace; what f listens on
// stays there.
func (n *namespace) inside(t *testing.T, f func() error) {
	t.Helper()
	if err := n.enter(f); err != nil {
		t.Fatalf("in the namespace: %v", err)
	}
}

// enter is inside with f's error.
func (n *namespace) enter(f func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+n.name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			failed <- err
			return
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			failed <- err
			return
		}
		failed <- f()
	}()
	return <-failed
}

// dial connects from within the namespace.
func (n *namespace) dial(network, address string) (net.Conn, error) {
	var c net.Conn
	err := n.enter(func() (err error) {
		c, err = net.Dial(network, address)
		return err
	})
	return c, err
}

// listen opens a listener in the namespace.
func (n *namespace) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	var ln net.Listener
	n.inside(t, func() (err error) {
		ln, err = net.Listen("tcp", address)
		return err
	})
	t.Cleanup(func() { ln.Close() })
	return ln
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
