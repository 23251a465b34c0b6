// Package admin serves what operators, probes and Prometheus ask of a running
// tlslift, on listeners of their own: one with everything, by default on
// loopback, and a public one with metrics and probes alone.
//
// On the listener with everything, the Host header must be an address,
// localhost, a name of this machine or a configured name, so that no web page
// can reach it by rebinding a name. If others than this machine can connect, all
// but probes and /metrics also needs a bearer token. Probes and the public
// listener ask for neither. No answer carries more than its path's documentation
// says.
package admin

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tlslift/proxy/host"
)

// Options is what New needs. Its functions are required.
type Options struct {
	Gatherer prometheus.Gatherer
	Logger   *zap.Logger
	Hosts    []host.Name // names that are accepted as Host, besides localhost and addresses
	Token    string      // bearer token for listeners that are not loopback; "" = those show probes and metrics alone

	CA        func() []byte         // the certificates that clients install, PEM; empty = none
	Proxy     func() string         // address of the listener that takes proxy requests, host:port; "" = none
	Upstreams func() []host.Pattern // what goes through tlslift, for /proxy.pac

	Trouble func() string // what is wrong, as lines of /readyz below the state; "" = nothing

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
	o       Options
	limits  limits
	hosts   map[host.Name]bool
	state   atomic.Uint32
	token   atomic.Pointer[string]
	metrics http.Handler
	answers *gate // of the page and the API
	mux     *http.ServeMux
	page    http.Handler // at "/"

	mu      sync.Mutex
	servers []*http.Server
	closed  bool
}

// New builds the handlers. Nothing listens before Serve.
func New(o Options) *Admin {
	a := &Admin{
		o:       o,
		limits:  defaultLimits,
		hosts:   make(map[host.Name]bool),
		metrics: metricsHandler(o.Gatherer, o.Logger),
		answers: newGate(maxAnswers, maxAnswers),
		mux:     http.NewServeMux(),
		page:    http.HandlerFunc(notFound),
	}
	for _, n := range o.Hosts {
		a.hosts[n] = true
	}
	a.SetToken(o.Token)
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.page.ServeHTTP(w, r) })
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
// may see it. h may replace the headers that the guard has set. It is called
// before Serve. As with http.ServeMux, mounting a pattern twice panics, except "/".
func (a *Admin) Mount(pattern string, h http.Handler) {
	if pattern == "/" {
		a.page = h
		return
	}
	a.mux.Handle(pattern, h)
}

// Handler returns the handler of everything. loopback says that only this
// machine can connect to where it is served.
func (a *Admin) Handler(loopback bool) http.Handler { return &guard{admin: a, loopback: loopback} }

// PublicHandler returns the handler of metrics and probes alone.
func (a *Admin) PublicHandler() http.Handler { return &guard{admin: a, public: true} }
