package names

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tlslift/proxy/host"
	"tlslift/test/nameserver"
)

// An error names what was looked up, and each that was asked, in order.
func TestLookupErrorNamesEachThatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := nameserver.New(t), nameserver.New(t)
		servers := map[string]*nameserver.Server{"192.0.2.53:53": first, "192.0.2.54:53": second}
		want := func(system bool, name, text string) {
			t.Helper()
			r := testResolver(t, "", servers)
			var err error
			if system {
				_, _, err = r.LookupSystem(t.Context(), host.MustParse(name))
			} else {
				_, _, err = r.Lookup(t.Context(), host.MustParse(name), never)
			}
			var lookup *LookupError
			if !errors.As(err, &lookup) || lookup.Name.String() != name || err.Error() != text {
				t.Errorf("got  %v\nwant %s", err, text)
			}
		}
		want(false, "gone.test", "look up gone.test: DNS server 192.0.2.53:53: the name has no address")
		want(true, "gone.test", "look up gone.test: DNS server 192.0.2.53:53: the name has no address; the system's resolver: the system was asked for gone.test")
		first.Set(nameserver.Silence)
		second.Set(nameserver.Fail(dnsmessage.RCodeServerFailure))
		const both = "no answer from DNS server 192.0.2.53:53 in time; DNS server 192.0.2.54:53 answered ServerFailure"
		want(false, "a.test", "look up a.test: "+both)
		want(true, "a.test", "look up a.test: "+both+"; the system's resolver: the system was asked for a.test")
	})
}

// A lookup whose time is up asks nobody else.
func TestLateLookupAsksNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ns := nameserver.New(t)
		ns.Set(nameserver.Silence)
		r := testResolver(t, "", one(ns))
		r.System = nil // would panic
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := r.LookupSystem(ctx, host.MustParse("a.test"))
		if want := "look up a.test: no answer from DNS server 192.0.2.53:53 in time"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// Without DNS servers, a lookup whose time is up fails as one of the system does.
func TestLateLookupWithoutServers(t *testing.T) {
	t.Parallel()
	r := testResolver(t, "", nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := r.LookupSystem(ctx, host.MustParse("a.test"))
	if want := "look up a.test: the system's resolver: the system was asked for a.test"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Servers that are silent leave the system's resolver time for an answer, and its
// failure ends no wait for theirs.
func TestSilentServersLeaveTheSystemTime(t *testing.T) {
	for _, tt := range []struct {
		fault  nameserver.Fault
		system string
		want   string
	}{
		{nameserver.Silence, "192.0.2.9", "[192.0.2.9]"},
		{delayed(4 * time.Second), "", "[192.0.2.1]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ns := nameserver.New(t, "a.test 60 A 192.0.2.1")
			ns.Set(tt.fault)
			r := testResolver(t, "", map[string]*nameserver.Server{"192.0.2.53:53": ns, "192.0.2.54:53": ns, "192.0.2.55:53": ns})
			if tt.system != "" {
				r.System = func(context.Context, string) ([]netip.Addr, error) {
					return []netip.Addr{netip.MustParseAddr(tt.system)}, nil
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), lookupTimeout)
			defer cancel()
			addrs, _, err := r.LookupSystem(ctx, host.MustParse("a.test"))
			if got := fmt.Sprint(addrs); got != tt.want {
				t.Errorf("%s, %v, want %s", got, err, tt.want)
			}
			time.Sleep(lookupTimeout) // the servers end
		})
	}
}
