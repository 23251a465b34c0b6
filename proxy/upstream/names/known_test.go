package names

import (
	"fmt"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"tlslift/proxy/host"
	"tlslift/test/nameserver"
)

// wantKnown checks which name an address belongs to. c.test is not wanted.
func wantKnown(t *testing.T, k *Known, when, addr, want string) {
	t.Helper()
	name, ok := k.Find(netip.MustParseAddr(addr), time.Now(), func(n host.Name) bool { return n.String() != "c.test" })
	if name.String() != want || ok != (want != "") {
		t.Errorf("%s: %s is %q, want %q", when, addr, name, want)
	}
}

func TestKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t, "b.test 60 A 192.0.2.1", "a.test 60 A 192.0.2.1", "c.test 60 A 192.0.2.2")
		r := testResolver(t, "192.0.2.7 named.test", one(ns))
		wantKnown(t, r.Known, "before", "192.0.2.1", "")
		for _, name := range []string{"b.test", "a.test", "c.test", "named.test"} {
			look(t, r, name)
		}
		wantKnown(t, r.Known, "of two", "192.0.2.1", "a.test")
		wantKnown(t, r.Known, "not wanted", "192.0.2.2", "")
		wantKnown(t, r.Known, "of the hosts file", "192.0.2.7", "named.test")
		ns.SetZone(t, "a.test 60 A 192.0.2.9", "b.test 60 A 192.0.2.9")
		time.Sleep(time.Hour)
		look(t, r, "a.test")
		wantKnown(t, r.Known, "moved", "192.0.2.9", "a.test")
		wantKnown(t, r.Known, "an hour ago", "192.0.2.1", "a.test")
		time.Sleep(knownFor - time.Hour)
		wantKnown(t, r.Known, "a day ago", "192.0.2.1", "")
	})
}

// TestMadeUpNamesDisplaceNothing: a caller may ask for any name below a domain.
func TestMadeUpNamesDisplaceNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		zone := []string{"a.test 60 A 192.0.2.1"}
		for i := range 2 * maxNames {
			if i%2 == 0 { // DNS has a wildcard
				zone = append(zone, fmt.Sprintf("n%d.test 60 A 192.0.2.1", i))
			}
		}
		r := testResolver(t, "", one(nameserver.New(t, zone...)))
		look(t, r, "a.test")
		for i := range 2 * maxNames {
			look(t, r, fmt.Sprintf("n%d.test", i))
		}
		time.Sleep(time.Hour) // every answer has left the cache
		look(t, r, "x.test")
		wantKnown(t, r.Known, "later", "192.0.2.1", "a.test")
		if n := len(r.Known.addresses); n != 1 {
			t.Errorf("%d addresses", n)
		}
		if n := len(r.Known.All()); n > maxKnownNames {
			t.Errorf("%d names of one address", n)
		}
	})
}

// TestKnownIsBounded: the address that was seen last of all goes first.
func TestKnownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var k Known
		a, first := host.MustParse("a.test"), netip.MustParseAddr("2001:db8::1")
		for addr := first; len(k.addresses) < maxKnown; addr = addr.Next() {
			k.note(a, []netip.Addr{addr}, time.Now())
			time.Sleep(time.Second)
		}
		k.note(a, []netip.Addr{first}, time.Now())
		k.note(a, []netip.Addr{netip.MustParseAddr("192.0.2.1")}, time.Now())
		wantKnown(t, &k, "seen again", "2001:db8::1", "a.test")
		wantKnown(t, &k, "the oldest", "2001:db8::2", "")
		wantKnown(t, &k, "the newest", "192.0.2.1", "a.test")
		if n := len(k.addresses); n != maxKnown {
			t.Errorf("%d addresses", n)
		}
	})
}

// TestKnownOutlivesItsResolver: the configuration may name other servers, and
// another process may go on.
func TestKnownOutlivesItsResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var next Known
		r := testResolver(t, "", one(nameserver.New(t, "a.test 60 A 192.0.2.1")))
		look(t, r, "a.test")
		time.Sleep(time.Hour)
		next.Restore(r.Known.All())
		wantKnown(t, &next, "restored", "192.0.2.1", "a.test")
		again := newResolver(t, Options{Known: &next, HostsFile: os.DevNull})
		wantKnown(t, again.Known, "of another resolver", "192.0.2.1", "a.test")
		time.Sleep(knownFor - time.Hour)
		wantKnown(t, &next, "a day after it was seen", "192.0.2.1", "")
	})
}
