package names

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"tlslift/proxy/host"
	"tlslift/test/nameserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHostsFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t, "loop.test 60 A 192.0.2.1", "own.test 60 A 192.0.2.2", "skip.test 60 A 192.0.2.3")
		r := testResolver(t, `
127.0.0.1	localhost loop.test # for the legacy application
::1		loop.test
192.0.2.200	own.test
2001:db8::7	named.test
192.0.2.7	Named.Test. alias   # both
10.0.0.1	skip.test
0.0.0.0		loop.test
::ffff:192.0.2.8 mapped.test
not an address
192.0.2.9
`, one(ns))
		own := func(a netip.Addr) bool { return a == netip.MustParseAddr("10.0.0.1") }
		for name, want := range map[string]string{
			"loop.test": "[192.0.2.1]", "own.test": "[192.0.2.2]", "skip.test": "[192.0.2.3]",
			"named.test": "[192.0.2.7 2001:db8::7]", "alias": "[192.0.2.7]", "mapped.test": "[192.0.2.8]",
		} {
			addrs, _, err := r.Lookup(t.Context(), host.MustParse(name), own)
			if got := fmt.Sprint(addrs); err != nil || got != want {
				t.Errorf("%s: %s %v, want %s", name, got, err, want)
			}
		}
		// To any other program a name is what the whole file says.
		if addrs, _, err := r.LookupSystem(t.Context(), host.MustParse("loop.test")); err != nil || len(addrs) != 3 {
			t.Error(addrs, err)
		}
	})
}

func TestSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		o := Options{
			HostsFile: os.DevNull, ResolvConf: os.DevNull,
			System: func(_ context.Context, name string) ([]netip.Addr, error) {
				asked = append(asked, name)
				return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")}, nil
			},
		}
		r := newResolver(t, o)
		for range 2 {
			if got := look(t, r, "a.test"); got != "[192.0.2.1 2001:db8::1]" {
				t.Error(got)
			}
		}
		if addrs, _, err := r.LookupSystem(t.Context(), host.MustParse("short")); len(addrs) != 2 || err != nil {
			t.Error(addrs, err)
		}
		o.Servers, o.Dial = []string{server}, func(context.Context, string, string) (net.Conn, error) { return nil, os.ErrPermission }
		if addrs, _, err := newResolver(t, o).LookupSystem(t.Context(), host.MustParse("other")); len(addrs) != 2 || err != nil {
			t.Error(addrs, err)
		}
		if got := fmt.Sprint(asked); got != "[a.test. short other]" {
			t.Error(got)
		}
	})
}

// TestSystemReadsTheHostsFileToo: where only the system's resolver is left, its
// answer from the hosts file that leads to this machine is none either. It is not
// kept, and an earlier answer serves on.
func TestSystemReadsTheHostsFileToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testResolver(t, "127.0.0.1 a.test b.test\n192.0.2.200 a.test c.test\n192.0.2.7 c.test\n", nil)
		ns := nameserver.New(t, "a.test 1 A 192.0.2.1")
		r.Dial = ns.Dial
		r.System = func(_ context.Context, name string) ([]netip.Addr, error) {
			if name == "free.test." {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return r.inHosts(host.MustParse(name)), nil
		}
		servers := func(text string) {
			t.Helper()
			if err := os.WriteFile(r.ResolvConf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			time.Sleep(fileCheck)
		}
		want := func(name, want string) {
			t.Helper()
			if got := look(t, r, name); got != want {
				t.Errorf("%s: %s, want %s", name, got, want)
			}
		}
		const here = "error: look up a.test: the system's resolver: the hosts file leads the name to this machine"
		want("a.test", here)
		want("c.test", "[192.0.2.7]")
		want("free.test", "[127.0.0.1]") // not of the hosts file
		servers("nameserver 192.0.2.53\n")
		want("a.test", "[192.0.2.1]")
		servers("# down\n")
		want("a.test", "[192.0.2.1]")
		time.Sleep(staleFor)
		want("a.test", here)
		servers("nameserver 192.0.2.53\n")
		want("a.test", "[192.0.2.1]")
	})
}

func TestFilesAreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := testResolver(t, "192.0.2.5 a.test", nil)
		write := func(path, text string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := look(t, r, "a.test"); got != "[192.0.2.5]" {
			t.Error(got)
		}
		write(r.HostsFile, "")
		if got := look(t, r, "a.test"); got != "[192.0.2.5]" {
			t.Error("looked at too soon:", got)
		}
		time.Sleep(fileCheck)
		if got := look(t, r, "a.test"); got != "[192.0.2.5]" {
			t.Error("a file that may be about to be written is taken for empty:", got)
		}
		time.Sleep(fileCheck)
		if got := look(t, r, "a.test"); got != "error: look up a.test: the system's resolver: the system was asked for a.test." { // no resolv.conf
			t.Error(got)
		}
		write(r.ResolvConf, "search x.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53 # two\noptions ndots:5\nnameserver x\n")
		ns := nameserver.New(t, "a.test 1 A 192.0.2.1")
		r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address != "192.0.2.53:53" {
				t.Error("asks", address)
			}
			return ns.Dial(ctx, network, address)
		}
		time.Sleep(fileCheck)
		if got := look(t, r, "a.test"); got != "[192.0.2.1]" {
			t.Error(got)
		}
	})
}

// TestFilesKeepWhatTheyHad: a file that cannot be read, or is being written, is as
// it was.
func TestFilesKeepWhatTheyHad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string) func() error {
		return func() error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	missing := func() error { return os.RemoveAll(path) }
	unreadable := func() error { return errors.Join(missing(), os.Mkdir(path, 0o700)) }
	for _, tt := range []struct {
		looks []func() error
		want  string
	}{
		{[]func() error{write("")}, ""},
		{[]func() error{missing}, ""},
		{[]func() error{write("a"), write("")}, "a"},
		{[]func() error{write("a"), missing}, "a"},
		{[]func() error{write("a"), write(""), write("b")}, "b"},
		{[]func() error{write("a"), write(""), write("b"), write("")}, "b"},
		{[]func() error{write("a"), write(""), write("")}, ""},
		{[]func() error{write("a"), missing, missing}, ""},
		{[]func() error{write("a"), write(""), missing}, ""},
		{[]func() error{write("a"), unreadable, unreadable, unreadable}, "a"},
		{[]func() error{write("a"), write("\n")}, "\n"},
	} {
		var f file[string]
		var got string
		now := time.Now()
		check := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, change := range tt.looks {
			check(change())
			got = f.get(path, func(b []byte) string { return string(b) }, now)
			now = now.Add(fileCheck)
		}
		check(os.RemoveAll(path))
		if got != tt.want {
			t.Errorf("%d looks: %q, want %q", len(tt.looks), got, tt.want)
		}
	}
}

// FuzzNameFiles holds that no hosts file or resolv.conf does harm.
func FuzzNameFiles(f *testing.F) {
	f.Add([]byte("127.0.0.1 localhost\n::1 x # y\nnameserver 192.0.2.1\n"))
	f.Add([]byte("nameserver fe80::1%eth0\nnameserver\n;\n#\n\x00 \xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, addrs := range parseHosts(b) {
			if name.IsZero() || len(addrs) == 0 {
				t.Errorf("%q %v", name, addrs)
			}
		}
		conf := parseResolvConf(b)
		for _, s := range conf.servers {
			if _, _, err := net.SplitHostPort(s); err != nil {
				t.Error(err)
			}
		}
		if all := conf.candidates(host.MustParse("a.test")); !slices.Contains(all, host.MustParse("a.test")) {
			t.Error(all)
		}
	})
}
