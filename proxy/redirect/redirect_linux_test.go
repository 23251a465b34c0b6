package redirect

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"

	"tlslift/proxy/front"
)

// The two ends of a wire: the application's namespace and the outside world.
const (
	inside4, outside4 = "192.0.2.1", "192.0.2.2"
	inside6, outside6 = "2001:db8::1", "2001:db8::2"
)

// lab is a pair of network namespaces. do runs in the application's one.
type lab struct {
	do      func(func())
	listen  func(inside bool, addr, word string) net.Listener
	dialled func(uid uint32, addr string) string
}

// namespace returns a function that runs others on a thread of their own in a
// new network namespace.
func namespace(t *testing.T) (do func(func()), tid int) {
	t.Helper()
	jobs, ready := make(chan func()), make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		tid = unix.Gettid()
		ready <- unix.Unshare(unix.CLONE_NEWNET)
		for job := range jobs {
			job()
		}
	}()
	if err := <-ready; err != nil {
		close(jobs)
		t.Skipf("SKIPPED, NOT TESTED: no network namespace can be made: %v", err)
	}
	t.Cleanup(func() { close(jobs) })
	return func(job func()) {
		done := make(chan struct{})
		jobs <- func() { defer close(done); job() }
		<-done
	}, tid
}

func newLab(t *testing.T) lab {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT TESTED: redirection needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: redirection needs iproute2")
	}
	in, _ := namespace(t)
	out, outTID := namespace(t)
	ip := func(do func(func()), args string) {
		t.Helper()
		do(func() {
			if text, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v: %s", args, err, text)
			}
		})
	}
	ip(in, "link set lo up")
	ip(in, fmt.Sprintf("link add app type veth peer name world netns %d", outTID))
	ip(in, "address add "+inside4+"/24 dev app")
	ip(in, "address add "+inside6+"/64 dev app nodad")
	ip(in, "link set app up")
	ip(out, "address add "+outside4+"/24 dev world")
	ip(out, "address add "+outside6+"/64 dev world nodad")
	ip(out, "link set world up")
	return lab{
		do: in,
		listen: func(inside bool, addr, word string) net.Listener {
			t.Helper()
			do := out
			if inside {
				do = in
			}
			var ln net.Listener
			do(func() {
				var err error
				if ln, err = net.Listen("tcp", addr); err != nil {
					t.Fatal(err)
				}
			})
			t.Cleanup(func() { ln.Close() })
			go greet(ln, word)
			return ln
		},
		dialled: func(uid uint32, addr string) (answer string) {
			in(func() {
				// A socket belongs to the file system user of the thread that
				// makes it. The raw call changes this thread alone.
				_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, uintptr(uid), 0, 0)
				conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
				_, _, _ = unix.RawSyscall(unix.SYS_SETFSUID, 0, 0, 0)
				if err != nil {
					answer = err.Error()
					return
				}
				defer conn.Close()
				text, err := io.ReadAll(conn)
				if answer = string(text); err != nil {
					answer += err.Error()
				}
			})
			return answer
		},
	}
}

// greet tells each caller a word and where it was going.
func greet(ln net.Listener, word string) {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(conn, "%s %s", word, front.OriginalDestination(conn))
		conn.Close()
	}
}

func port(ln net.Listener) uint16 {
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

func TestRedirect(t *testing.T) {
	l := newLab(t)
	proxy4 := l.listen(true, "127.0.0.1:0", "proxy")
	l.listen(true, fmt.Sprintf("[::1]:%d", port(proxy4)), "proxy")
	for _, host := range []string{outside4, outside6} {
		for _, p := range []string{"80", "443", "8080"} {
			l.listen(false, net.JoinHostPort(host, p), "world")
		}
	}
	l.listen(true, inside4+":80", "own")
	l.listen(true, "127.0.0.1:80", "own")
	l.listen(true, "[::1]:443", "own")

	rules := usual()
	rules.To = port(proxy4)
	apply := func(r Rules) {
		t.Helper()
		l.do(func() {
			if err := Apply(r); err != nil {
				t.Fatal(err)
			}
			got, ok, err := Status()
			if err != nil || !ok || !reflect.DeepEqual(got, r) {
				t.Errorf("status %+v, %v, %v after applying %+v", got, ok, err, r)
			}
		})
	}
	const app, tlslift = 1000, 47128
	expect := func(uid uint32, addr, want string) {
		t.Helper()
		if got := l.dialled(uid, addr); !strings.HasPrefix(got, want) {
			t.Errorf("user %d to %s: %q, want %q", uid, addr, got, want)
		}
	}

	expect(app, outside4+":80", "world")
	apply(rules)
	apply(rules)
	for _, addr := range []string{outside4 + ":80", outside4 + ":443", "[" + outside6 + "]:80", "[" + outside6 + "]:443"} {
		expect(app, addr, "proxy "+addr)
		expect(0, addr, "proxy "+addr)
		expect(tlslift, addr, "world")
	}
	expect(app, outside4+":8080", "world")
	expect(app, "["+outside6+"]:8080", "world")
	for _, addr := range []string{inside4 + ":80", "127.0.0.1:80", "[::1]:443"} {
		expect(app, addr, "own")
	}

	rules.IPv4Only, rules.Ports, rules.ExceptUIDs = true, []uint16{8080}, []uint32{tlslift, app}
	apply(rules)
	expect(0, outside4+":8080", "proxy "+outside4+":8080")
	expect(0, "["+outside6+"]:8080", "world")
	expect(0, outside4+":80", "world")
	expect(app, outside4+":8080", "world")

	l.do(func() {
		for _, want := range []bool{true, false} {
			if removed, err := Remove(); err != nil || removed != want {
				t.Errorf("removed %v, %v, want %v", removed, err, want)
			}
		}
		if got, ok, err := Status(); err != nil || ok {
			t.Errorf("status %+v, %v, %v after removing", got, ok, err)
		}
	})
	expect(0, outside4+":8080", "world")
}

// A table of our name that somebody else made is told, and replaced.
func TestForeignTable(t *testing.T) {
	l := newLab(t)
	l.do(func() {
		conn, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		conn.AddTable(table())
		if err := conn.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := Status(); !ok || !errors.Is(err, ErrForeign) {
			t.Errorf("status %v, %v", ok, err)
		}
		if err := Apply(usual()); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := Status(); !ok || err != nil {
			t.Errorf("status %v, %v", ok, err)
		}
	})
}

// Somebody else's table stays.
func TestOthersTablesStay(t *testing.T) {
	l := newLab(t)
	l.do(func() {
		conn, err := nftables.New()
		if err != nil {
			t.Fatal(err)
		}
		conn.AddTable(&nftables.Table{Name: "theirs", Family: nftables.TableFamilyINet})
		conn.AddTable(&nftables.Table{Name: TableName, Family: nftables.TableFamilyIPv4})
		if err := conn.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := Apply(usual()); err != nil {
			t.Fatal(err)
		}
		if removed, err := Remove(); !removed || err != nil {
			t.Fatal(removed, err)
		}
		tables, err := conn.ListTables()
		if err != nil || len(tables) != 2 {
			t.Errorf("%d tables, %v", len(tables), err)
		}
	})
}

// Who reads the rules without the capability is not told of a change.
func TestStatusWithoutTheCapabilitySaysRead(t *testing.T) {
	if os.Getuid() != 0 {
		_, _, err := Status()
		saysRead(t, err)
		return
	}
	do, _ := namespace(t)
	do(func() {
		// Of this thread alone, which ends with the test.
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		_, _, err := Status()
		saysRead(t, err)
	})
}

func saysRead(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), "read the netfilter rules") || strings.Contains(err.Error(), "change") {
		t.Errorf("status without CAP_NET_ADMIN: %v", err)
	}
}

func TestPermission(t *testing.T) {
	if os.Getuid() != 0 {
		if err := Apply(usual()); !errors.Is(err, ErrPermission) {
			t.Errorf("as user %d: %v", os.Getuid(), err)
		}
		return
	}
	for _, errno := range []syscall.Errno{unix.EPERM, unix.EACCES} {
		if err := explain("x", errno); !errors.Is(err, ErrPermission) {
			t.Errorf("%v: %v", errno, err)
		}
	}
	if err := explain("x", unix.EOPNOTSUPP); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
}
