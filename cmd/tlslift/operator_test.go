package main

import (
	"net/netip"
	"testing"

	"tlslift/configs"
	"tlslift/proxy"
)

// TestProxyScriptNamesAListenerThatTakesProxyRequests covers a host without
// IPv6: the listener that takes proxy requests could not be opened, and the one
// that is left does not take them.
func TestProxyScriptNamesAListenerThatTakesProxyRequests(t *testing.T) {
	t.Parallel()
	listening := func(address string, accept ...configs.Way) proxy.Listening {
		return proxy.Listening{
			Listen: configs.Listen{Address: "any:0", Accept: accept}, Addr: netip.MustParseAddrPort(address),
		}
	}
	gateway := listening("127.0.0.1:8081", configs.WayGateway)
	for want, open := range map[string][]proxy.Listening{
		"":               {gateway},
		"127.0.0.1:3128": {gateway, listening("127.0.0.1:3128", configs.WayGateway, configs.WayForward)},
		"[::1]:8080":     {listening("[::1]:8080", configs.WayForward), gateway},
	} {
		if got := proxyAddress(open); got != want {
			t.Errorf("%v: got %q, want %q", open, got, want)
		}
	}
}
