package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"

	"github.com/elazarl/goproxy"
	"go.uber.org/zap"

	"tlslift/proxy/host"
)

// newPipeline makes goproxy's filter chain and CONNECT dispatch, with our own
// transport and never its MITM.
func (s *Server) newPipeline() *goproxy.ProxyHttpServer {
	p := goproxy.NewProxyHttpServer()
	p.Logger = goproxyLog{s.log}
	p.Verbose = false // prints whole URLs, passwords included
	p.KeepHeader = true
	p.KeepDestinationHeaders = true // set by onResponse
	p.KeepAcceptEncoding = true
	p.ConnectDial = nil                         // reads the environment's proxies
	p.Tr = &http.Transport{DialContext: noDial} // verifies nothing and replays GETs
	p.OnRequest().HandleConnectFunc(s.onConnect)
	p.OnRequest().DoFunc(s.onRequest)
	p.OnResponse().DoFunc(s.onResponse)
	return p
}

// noDial stands in for the transport goproxy would dial with, if a request
// ever reached it: every decision is made before.
func noDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("goproxy's own transport is not used")
}

// goproxyURL is the URL that goproxy gets: absolute, so that it takes the
// request for a proxy's, and with nothing of the caller's query in it, since
// goproxy formats it for its log. What is sent is the request's own target.
func (c *conn) goproxyURL(n host.Name) *url.URL {
	if c.url == nil || c.url.Host != n.String() {
		c.url = &url.URL{Scheme: "http", Host: n.String()}
	}
	return c.url
}

// goproxyLog keeps goproxy's texts out of the log: they carry URLs.
type goproxyLog struct{ log *zap.Logger }

// Printf implements goproxy.Logger.
func (g goproxyLog) Printf(string, ...any) { g.log.Debug("goproxy logged a warning") }
