// Package admin serves what operators, probes and Prometheus ask of a running
// tlslift, on listeners of their own: one with everything, by default on
// loopback, and a public one with metrics and probes alone.
//
// Whatever is not a probe or /metrics is guarded. On a loopback listener the
// Host header must be an address, localhost or the configured name, so that no
// web page can reach it by rebinding a name; on any other listener a bearer
// token is needed. No answer carries more than its path's documentation says.
package admin

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tlslift/proxy/host"
)

// Options is what New is told. Gatherer and Logger are required; everything
// else may be left out.
type Options struct {
	Gatherer prometheus.Gatherer
	Logger   *zap.Logger
	Address  string // admin.address as configured: a name in it is accepted as Host
	Token    string // bearer token for listeners that are not loopback; "" = those show probes and metrics alone

	CA        func() []byte         // the certificates that clients install, PEM; nil or empty = none
	Proxy     func() string         // address of the listener that takes proxy requests, host:port; nil or "" = none
	Upstreams func() []host.Pattern // what goes through tlslift, for /proxy.pac; nil = nothing

	Trouble func() string // what is wrong, as a line of /readyz below the state; "" = nothing, nil = never

	Quit      func() // begins a graceful end and returns at once
	AllowQuit bool   // POST /quit calls Quit
	Profiles  bool   // /debug/pprof/ is served

	Build Build
}

// Build says which build is running, as /api/v1/build shows it.
type Build struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	GoVersion string `json:"go_version"`
}

// Admin holds the handlers and the servers. Its methods may be called from any
// goroutine.
type Admin struct {
	o        Options
	limits   limits
	hostname host.Name // the host in Options.Address; zero = every address
	state    atomic.Uint32
	token    atomic.Pointer[string]
	metrics  http.Handler
	mux      *http.ServeMux
	root     atomic.Pointer[http.Handler]

	mu      sync.Mutex
	servers []*http.Server
	closed  bool
}

// New builds the handlers. Nothing listens before Serve.
func New(o Options) *Admin {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	a := &Admin{
		o:        o,
		limits:   defaultLimits,
		hostname: configuredHost(o.Address),
		metrics:  metricsHandler(o.Gatherer, o.Logger),
		mux:      http.NewServeMux(),
	}
	a.SetToken(o.Token)
	a.mux.HandleFunc("/", a.serveRoot)
	a.mux.HandleFunc("/ca.pem", a.serveCA)
	a.mux.HandleFunc("/proxy.pac", a.servePAC)
	a.mux.HandleFunc("/quit", a.serveQuit)
	a.mux.HandleFunc("/api/v1/build", a.serveBuild)
	if o.Profiles {
		a.mux.HandleFunc("/debug/pprof/", a.serveProfile)
	}
	return a
}

// Mount serves pattern (a path, or a path that ends in a slash for everything
// below) with h, behind the guard: h sees GET and HEAD alone, from callers that
// may see it. "/" replaces the plain index. h may replace the headers that the
// guard has set. As with http.ServeMux, mounting a pattern twice panics; "/"
// alone may be mounted again.
func (a *Admin) Mount(pattern string, h http.Handler) {
	if pattern == "/" {
		a.root.Store(&h)
		return
	}
	a.mux.Handle(pattern, h)
}

// Handler returns the handler of everything. loopback says that only this
// machine can connect to where it is served.
func (a *Admin) Handler(loopback bool) http.Handler {
	return &guard{admin: a, loopback: loopback, open: a.serveOpen, rest: a.mux}
}

// PublicHandler returns the handler of metrics and probes alone.
func (a *Admin) PublicHandler() http.Handler {
	return &guard{admin: a, public: true, open: a.serveOpen, rest: http.HandlerFunc(notFound)}
}

// serveOpen serves what needs neither a token nor a known Host, and reports
// whether the path is such a one.
func (a *Admin) serveOpen(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/metrics" {
		a.metrics.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Connection", "close") // a probe comes anew each time
	if r.URL.Path == "/healthz" {
		sentence(w, http.StatusOK, "ok")
		return
	}
	a.serveReady(w)
}

// isOpen reports whether the path is a probe or /metrics.
func isOpen(path string) bool {
	return path == "/metrics" || path == "/healthz" || path == "/readyz"
}
