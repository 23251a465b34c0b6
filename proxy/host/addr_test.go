package host_test

import (
	"net"
	"net/netip"
	"testing"

	"tlslift/proxy/host"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1",
	} {
		if got := host.Canonical(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
		if got := host.CanonicalPort(netip.AddrPortFrom(netip.MustParseAddr(in), 80)); got.Addr().String() != want || got.Port() != 80 {
			t.Errorf("%s: %s", in, got)
		}
	}
	if host.Canonical(netip.Addr{}).IsValid() || host.CanonicalPort(netip.AddrPort{}).IsValid() {
		t.Error("no address became one")
	}
}

func TestOfSocket(t *testing.T) {
	t.Parallel()
	for want, in := range map[string]net.Addr{
		"192.0.2.1:80":     &net.TCPAddr{IP: net.ParseIP("192.0.2.1"), Port: 80}, // 16 bytes, IPv4-mapped
		"[fe80::1%eth0]:1": &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1},
		"invalid AddrPort": &net.UnixAddr{Name: "socket"},
	} {
		if got := host.OfSocket(in).String(); got != want {
			t.Errorf("%v: %s, want %s", in, got, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := host.Network(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if host.Network(netip.Addr{}).IsValid() {
		t.Error("no address has a network")
	}
}
