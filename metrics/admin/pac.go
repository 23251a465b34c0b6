package admin

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// pacScript is written for the oldest engines that read such files (JScript 5):
// no startsWith, no arrow functions, no let.
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

// servePAC serves the proxy auto-configuration: our upstreams through tlslift,
// everything else direct.
func (a *Admin) servePAC(w http.ResponseWriter, r *http.Request) {
	var listening string
	if a.o.Proxy != nil {
		listening = a.o.Proxy()
	}
	proxy := seenFrom(listening, r.Host)
	if proxy == "" {
		sentence(w, http.StatusNotFound, "No listener accepts proxy requests (listen.accept: forward, connect).")
		return
	}
	var patterns []string
	if a.o.Upstreams != nil {
		patterns = a.o.Upstreams()
	}
	script, err := pac(proxy, patterns)
	if err != nil {
		sentence(w, http.StatusInternalServerError, "The script cannot be written.")
		return
	}
	w.Header().Set("Content-Type", "application/x-ns-proxy-autoconfig")
	_, _ = w.Write([]byte(script))
}

// seenFrom returns the address at which a caller reaches the proxy: where it
// listens, or, when that is every address, the host by which the caller reached
// us. "" is none.
func seenFrom(listening, callerHost string) string {
	host, port, err := net.SplitHostPort(listening)
	if err != nil {
		return ""
	}
	addr, err := netip.ParseAddr(host)
	if host != "" && (err != nil || !addr.IsUnspecified()) {
		return listening
	}
	if host = hostOf(callerHost); host == "" || !plainHost(host) {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// plainHost reports whether the host is made of what names and addresses are
// made of: it came from the caller and goes into a script.
func plainHost(host string) bool {
	for _, c := range []byte(host) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '.', c == ':', c == '_':
		default:
			return false
		}
	}
	return true
}

// pac writes the script. The strings are written as JSON, which is safe in a
// script of its own: it is never part of a page.
func pac(proxy string, patterns []string) (string, error) {
	hosts, domains := []string{}, []string{}
	for _, p := range patterns {
		p = strings.ToLower(p)
		if domain, ok := strings.CutPrefix(p, "*"); ok {
			domains = append(domains, domain)
		} else {
			hosts = append(hosts, p)
		}
	}
	var args []any
	for _, v := range []any{"PROXY " + proxy, hosts, domains} {
		text, err := json.Marshal(v)
		if err != nil {
			return "", fmt.Errorf("writing the proxy script: %w", err)
		}
		args = append(args, string(text))
	}
	return fmt.Sprintf(pacScript, args...), nil
}
