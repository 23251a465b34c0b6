package admin

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"tlslift/proxy/host"
)

// guard decides who may see what before any handler runs.
type guard struct {
	admin    *Admin
	public   bool // serves only metrics and probes
	loopback bool
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	Secure(w.Header())
	switch path := r.URL.Path; {
	case path == "/healthz", path == "/readyz":
		reading(w, r, g.admin.serveProbe)
	case g.public && path == "/metrics":
		reading(w, r, g.admin.metrics.ServeHTTP)
	case g.isForProxy(r):
		g.refuseProxy(w, r)
	case g.public:
		notFound(w, r)
	case !g.mayReach(w, r):
	case path == "/metrics":
		reading(w, r, g.admin.metrics.ServeHTTP)
	case !g.mayAsk(w, r):
	case path == "/quit":
		// Its own handler answers 404 if quitting is not allowed,
		// whatever the method.
		g.admin.mux.ServeHTTP(w, r)
	default:
		reading(w, r, g.admin.mux.ServeHTTP)
	}
}

// reading passes on GET and HEAD requests.
func reading(w http.ResponseWriter, r *http.Request, h http.HandlerFunc) {
	if allowMethods(w, r, http.MethodGet, http.MethodHead) {
		h(w, r)
	}
}

// isForProxy reports whether the caller takes this for the proxy. It sends
// CONNECT, a target in absolute form (RFC 9112, 3.2.2) whose host is not ours, or
// a base URL whose path begins with an upstream.
func (g *guard) isForProxy(r *http.Request) bool {
	return r.Method == http.MethodConnect || r.URL.IsAbs() && !g.admin.knownHost(r.Host) || g.admin.isBaseURL(r.URL.Path)
}

func (a *Admin) isBaseURL(path string) bool {
	segment, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	n, _, err := host.ParseAuthority(segment)
	return err == nil && !n.IsZero() &&
		slices.ContainsFunc(a.o.Upstreams(), func(p host.Pattern) bool { return p.Matches(n) })
}

// refuseProxy says where the proxy is. It gives the address only if no other
// machine can ask.
func (g *guard) refuseProxy(w http.ResponseWriter, r *http.Request) {
	status := http.StatusMisdirectedRequest
	if r.Method == http.MethodConnect && g.admin.knownHost(r.Host) { // a CONNECT to an address, perhaps ours
		w.Header().Set("Allow", "GET, HEAD")
		status = http.StatusMethodNotAllowed
	}
	where := "the address in listen, 127.0.0.1:3128 by default"
	if g.loopback {
		where = cmp.Or(SeenFrom(g.admin.o.Proxy(), "127.0.0.1"), where)
	}
	sentence(w, status, "This is tlslift's admin address: the proxy listens on "+where+".")
}

// tokenNeeded is the answer to a browser, which cannot send a token.
const tokenNeeded = `A bearer token is needed: the one in admin.token_file.

With the token:

  tlslift report --admin URL --token-file FILE
  curl -H "Authorization: Bearer TOKEN" URL

In a browser, which cannot give one: let admin.address be a loopback
address, as 127.0.0.1:9128 by default, and go there by

  ssh -L 9128:127.0.0.1:9128 HOST
  kubectl port-forward POD 9128

Then http://127.0.0.1:9128/ shows the page, without a token.
Probes and metrics can stay on the network: admin.public.`

// mayReach reports whether the request cannot come from a page of another site,
// and answers it otherwise.
func (g *guard) mayReach(w http.ResponseWriter, r *http.Request) bool {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	// A person may follow a link to the page from another site.
	follows := reads && r.Header.Get("Sec-Fetch-Mode") == "navigate"
	switch {
	case !g.admin.knownHost(r.Host):
		sentence(w, http.StatusMisdirectedRequest, "The Host header must be an address, localhost, a name of this machine, or a name in admin.hosts.")
	case crossOrigin(r) && !follows:
		sentence(w, http.StatusForbidden, "Requests from other origins are refused.")
	default:
		return true
	}
	return false
}

// mayAsk reports whether the caller may see what needs a token, and answers the
// request otherwise.
func (g *guard) mayAsk(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case g.loopback:
		return true
	case *g.admin.token.Load() == "":
		sentence(w, http.StatusForbidden, "Only probes and metrics are served here: set admin.token_file for the rest.")
	case !g.admin.hasToken(r):
		w.Header().Set("WWW-Authenticate", "Bearer")
		sentence(w, http.StatusUnauthorized, tokenNeeded)
	default:
		return true
	}
	return false
}

// Secure sets the headers of an answer that is not a page. A page replaces the
// Content-Security-Policy with its own.
func Secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// allowMethods reports whether the request has one of the methods, and answers
// 405 otherwise.
func allowMethods(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	sentence(w, http.StatusMethodNotAllowed, "The method is not allowed here.")
	return false
}

// SetToken replaces the bearer token, for example after a reload.
func (a *Admin) SetToken(token string) { a.token.Store(&token) }

// hasToken compares tokens in constant time; hashing first hides the length too.
func (a *Admin) hasToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(*a.token.Load()))
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// knownHost reports whether the Host header cannot be a rebound name. If a page
// of another site makes its name point here, the browser still sends that name.
func (a *Admin) knownHost(hostport string) bool {
	n, _, err := host.ParseAuthority(hostport)
	return err == nil && !n.IsZero() && (n.IsAddr() || n.String() == "localhost" || a.hosts[n])
}

// crossOrigin reports whether a browser says that a page of another site sent the
// request. The standard library checks that only for unsafe methods. Here it is
// checked for all, so that no page can probe what is served to this machine only.
func crossOrigin(r *http.Request) bool {
	unsafe := *r
	unsafe.Method = http.MethodPost
	return new(http.CrossOriginProtection).Check(&unsafe) != nil
}
