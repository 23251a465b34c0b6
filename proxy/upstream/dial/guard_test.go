package dial

import (
	"net/netip"
	"testing"
)

func TestInternal(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1": true, "127.255.0.1": true, "0.0.0.0": true, "0.1.2.3": true,
		"10.0.0.1": true, "172.16.0.1": true, "172.31.255.255": true, "172.32.0.1": false, "172.15.255.255": false,
		"192.168.0.1": true, "192.167.255.255": false, "169.254.169.254": true, "169.254.0.1": true,
		"100.64.0.1": true, "100.127.255.255": true, "100.100.100.200": true, "100.128.0.1": false, "100.63.255.255": false,
		"168.63.129.16": true, "168.63.129.17": false, "192.0.0.1": true, "198.18.0.1": true, "198.20.0.1": false,
		"224.0.0.1": true, "239.255.255.255": true, "240.0.0.1": true, "255.255.255.255": true,
		"102.205.165.1": false, "8.8.8.8": false, "192.0.2.1": false, "203.0.113.7": false,
		"::": true, "::1": true, "fc00::1": true, "fd00:ec2::254": true, "fe80::1": true, "fe80::1%eth0": true, "fec0::1": true, "ff02::1": true,
		"2001:db8::1": false, "2606:4700::1111": false, "2001::1": true, "64:ff9b:1::1": true,
		"::ffff:127.0.0.1": true, "::ffff:10.0.0.1": true, "::ffff:8.8.8.8": false,
		"::127.0.0.1": true, "::8.8.8.8": false,
		"::ffff:0:127.0.0.1": true, "::ffff:0:169.254.169.254": true, "::ffff:0:8.8.8.8": false,
		"64:ff9b::127.0.0.1": true, "64:ff9b::a9fe:a9fe": true, "64:ff9b::8.8.8.8": false,
		"2002:7f00:1::1": true, "2002:a00:1::1": true, "2002:808:808::1": false,
	} {
		if got := Internal(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	if !Internal(netip.Addr{}) {
		t.Error("no address at all is let through")
	}
}
