package main

import (
	"net/netip"
	"testing"

	"tlslift/proxy"
	"tlslift/proxy/call"
)

// TestProxyScriptNamesAListenerThatTakesProxyRequests covers a host without
// IPv6: the listener that takes proxy requests could not be opened, and the one
// that is left does not take them.
func TestProxyScriptNamesAListenerThatTakesProxyRequests(t *testing.T) {
	t.Parallel()
	bound := func(address string, accept ...call.Ingress) proxy.Bound {
		return proxy.Bound{
			Listener: proxy.Listener{Listener: call.Listener{Address: "any:0", Accept: call.Ways(accept...)}},
			Addr:     netip.MustParseAddrPort(address),
		}
	}
	gateway := bound("127.0.0.1:8081", call.Gateway)
	for want, open := range map[string][]proxy.Bound{
		"":               {gateway},
		"127.0.0.1:3128": {gateway, bound("127.0.0.1:3128", call.Gateway, call.Forward)},
		"[::1]:8080":     {bound("[::1]:8080", call.Gateway, call.Forward), gateway},
	} {
		if got := proxyAddress(open); got != want {
			t.Errorf("%v: got %q, want %q", open, got, want)
		}
	}
}
