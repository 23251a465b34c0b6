package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"

	"tlslift/proxy/host"
)

// pacScript is written for the oldest engines that read such files (JScript 5),
// so it has no startsWith, arrow functions or let.
const pacScript = `function FindProxyForURL(url, host) {
  var proxy = %s;
  var hosts = %s;
  var domains = %s;
  var scheme = url.substring(0, url.indexOf(":")).toLowerCase();
  if (scheme !== "http" && scheme !== "https") {
    return "DIRECT";
  }
  var name = host.toLowerCase();
  if (name.charAt(name.length - 1) === ".") {
    name = name.substring(0, name.length - 1);
  }
  for (var i = 0; i < hosts.length; i++) {
    if (name === hosts[i]) {
      return proxy;
    }
  }
  for (var j = 0; j < domains.length; j++) {
    var start = name.length - domains[j].length;
    if (start > 0 && name.substring(start) === domains[j]) {
      return proxy;
    }
  }
  return "DIRECT";
}
`

// servePAC serves the proxy auto-configuration: our upstreams go through tlslift,
// everything else goes direct.
func (a *Admin) servePAC(w http.ResponseWriter, r *http.Request) {
	proxy := SeenFrom(a.o.Proxy(), r.Host)
	if proxy == "" {
		sentence(w, http.StatusNotFound, "No listener accepts proxy requests (listen.accept: forward, connect).")
		return
	}
	w.Header().Set("Content-Type", "application/x-ns-proxy-autoconfig")
	_, _ = io.WriteString(w, pac(proxy, a.o.Upstreams()))
}

// SeenFrom returns the address at which a caller reaches a listener. If the
// listener listens on every address, this is the host by which the caller reached
// us. "" means that there is none.
func SeenFrom(listening, callerHost string) string {
	text, port, err := net.SplitHostPort(listening)
	if err != nil {
		return ""
	}
	addr, err := netip.ParseAddr(text)
	if text != "" && (err != nil || !addr.IsUnspecified()) {
		return listening
	}
	n, _, err := host.ParseAuthority(callerHost)
	if err != nil || n.IsZero() {
		return ""
	}
	return net.JoinHostPort(n.String(), port)
}

// pac writes the script. The strings are encoded as JSON, which is safe in a
// separate script that is never part of a page.
func pac(proxy string, patterns []host.Pattern) string {
	hosts, domains := []string{}, []string{}
	for _, p := range patterns {
		if p.Wild() {
			domains = append(domains, "."+p.Domain().String())
		} else {
			hosts = append(hosts, p.Domain().String())
		}
	}
	var args []any
	for _, v := range []any{"PROXY " + proxy, hosts, domains} {
		text, _ := json.Marshal(v) // a string, or a list of them: that cannot fail
		args = append(args, string(text))
	}
	return fmt.Sprintf(pacScript, args...)
}
