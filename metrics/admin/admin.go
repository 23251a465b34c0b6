// Package admin serves operators, probes and Prometheus on its own
// listeners. One serves everything, by default on loopback; a public one
// serves only metrics and probes.
//
// On the listener that serves everything, the Host header must be an address,
// localhost, a name of this machine or a configured name, so that no web page can
// reach it by DNS rebinding. If other machines can connect, everything except
// probes and /metrics also needs a bearer token. Probes and the public listener
// need neither. No answer contains more than the documentation of its path says.
package admin

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"tlslift/proxy/host"
)

// Options configure an Admin. The functions are required.
type Options struct {
	Gatherer prometheus.Gatherer
	Logger   *zap.Logger
	Hosts    []host.Name // names accepted as Host, besides localhost and addresses
	Token    string      // bearer token for listeners that are not loopback; "" = those serve only probes and metrics

	CA        func() []byte         // the certificates that clients install, in PEM; empty = none
	Proxy     func() string         // address of the listener that takes proxy requests, host:port; "" = none
	Upstreams func() []host.Pattern // what goes through tlslift, for /proxy.pac

	Trouble func() string // what is wrong, as lines of /readyz after the state; "" = nothing

	Quit      func() // starts a graceful shutdown and returns at once
	AllowQuit bool   // POST /quit calls Quit
	Profiles  bool   // /debug/pprof/ is served

	Build Build
}

// Build identifies the running build, as shown by /api/v1/build.
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
	answers *gate // for the page and the API
	mux     *http.ServeMux
	page    http.Handler // at "/"

	mu      sync.Mutex
	servers []*http.Server
	closed  bool
}

// New builds the handlers. Nothing listens until Serve.
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

// Mount serves pattern with h, behind the guard. A pattern is a path, or a path
// that ends in a slash for everything below it. h sees only GET and HEAD, from
// callers that may see it, and may replace the headers that the guard has set.
// Call Mount before Serve. As with http.ServeMux, mounting a pattern twice panics,
// except for "/".
func (a *Admin) Mount(pattern string, h http.Handler) {
	if pattern == "/" {
		a.page = h
		return
	}
	a.mux.Handle(pattern, h)
}

// Handler returns the handler for everything. loopback means that only this
// machine can connect to where it is served.
func (a *Admin) Handler(loopback bool) http.Handler { return &guard{admin: a, loopback: loopback} }

// PublicHandler returns the handler for metrics and probes only.
func (a *Admin) PublicHandler() http.Handler { return &guard{admin: a, public: true} }
