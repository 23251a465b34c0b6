package harness

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// NamespaceVariable set to "require" makes it a failure that no network
// namespace can be made.
const NamespaceVariable = "TLSLIFT_NETNS"

// Namespace is a network namespace with nothing but a loopback interface.
type Namespace struct {
	Name string
	t    testing.TB
}

// namespaces counts those of this process, so that no two have one name.
var namespaces atomic.Int64

// NewNamespace makes a namespace that ends with the test, and gives its
// loopback interface further addresses. The test is skipped where that takes
// more than there is: root, and the tools given.
func NewNamespace(t testing.TB, tools []string, addresses ...string) *Namespace {
	t.Helper()
	if reason := noNamespace(tools); reason != "" {
		if os.Getenv(NamespaceVariable) == "require" {
			t.Fatal(NamespaceVariable + "=require, but " + reason)
		}
		t.Skip("SKIPPED, nothing was proved: " + reason)
	}
	n := &Namespace{Name: fmt.Sprintf("tlslift-%d-%d", os.Getpid(), namespaces.Add(1)), t: t}
	n.ip("netns", "add", n.Name)
	t.Cleanup(func() { n.ip("netns", "delete", n.Name) })
	n.ip("-n", n.Name, "link", "set", "lo", "up")
	for _, address := range addresses {
		if strings.Contains(address, ":") {
			n.ip("-n", n.Name, "-6", "addr", "add", address+"/128", "dev", "lo", "nodad")
		} else {
			n.ip("-n", n.Name, "addr", "add", address+"/32", "dev", "lo")
		}
	}
	return n
}

// noNamespace says why a namespace cannot be made here; "" = it can.
func noNamespace(tools []string) string {
	if os.Geteuid() != 0 {
		return "it takes root to make a network namespace"
	}
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is missing; run test/install.sh"
		}
	}
	return ""
}

func (n *Namespace) ip(args ...string) {
	n.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Hosts replaces the hosts file that commands in the namespace see, from the
// next command on.
func (n *Namespace) Hosts(text string) {
	n.t.Helper()
	dir := filepath.Join("/etc/netns", n.Name) // ip netns exec lays it over /etc
	if err := os.MkdirAll(dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "hosts"), []byte(text), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// Under are the words before a command that runs in the namespace.
func (n *Namespace) Under() []string { return []string{"ip", "netns", "exec", n.Name} }

// Command is one that runs in the namespace.
func (n *Namespace) Command(words ...string) *exec.Cmd {
	words = append(n.Under(), words...)
	return exec.Command(words[0], words[1:]...)
}

// Nft hands a ruleset to nft in the namespace and returns what it prints.
func (n *Namespace) Nft(ruleset string) string {
	n.t.Helper()
	command := n.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(ruleset)
	out, err := command.CombinedOutput()
	if err != nil {
		n.t.Fatalf("nft: %v\n%s", err, out)
	}
	return string(out)
}

// Inside runs f on a thread that has entered the namespace; what f listens on
// stays there.
func (n *Namespace) Inside(f func() error) {
	n.t.Helper()
	if err := n.enter(f); err != nil {
		n.t.Fatalf("in the namespace: %v", err)
	}
}

// enter is Inside with f's error.
func (n *Namespace) enter(f func() error) error {
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		fd, err := unix.Open("/run/netns/"+n.Name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
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

// Dial connects from within the namespace.
func (n *Namespace) Dial(network, address string) (c net.Conn, err error) {
	err = n.enter(func() (err error) {
		c, err = net.Dial(network, address)
		return err
	})
	return c, err
}

// Listen opens a listener in the namespace.
func (n *Namespace) Listen(address string) net.Listener {
	n.t.Helper()
	var ln net.Listener
	n.Inside(func() (err error) {
		ln, err = net.Listen("tcp", address)
		return err
	})
	n.t.Cleanup(func() { _ = ln.Close() })
	return ln
}
