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

// newPipeline builds goproxy's filter chain and CONNECT dispatch, with our own
// transport and never goproxy's MITM.
func (s *Server) newPipeline() *goproxy.ProxyHttpServer {
	p := goproxy.NewProxyHttpServer()
	p.Logger = goproxyLog{s.log}
	p.Verbose = false // verbose logs hold whole URLs, passwords included
	p.KeepHeader = true
	p.KeepDestinationHeaders = true // set by onResponse
	p.KeepAcceptEncoding = true
	p.ConnectDial = nil                         // goproxy's reads the environment's proxies
	p.Tr = &http.Transport{DialContext: noDial} // goproxy's verifies nothing and replays GETs
	p.OnRequest().HandleConnectFunc(s.onConnect)
	p.OnRequest().DoFunc(s.onRequest)
	p.OnResponse().DoFunc(s.onResponse)
	return p
}

// noDial replaces the dial function of goproxy's own transport. No request should
// reach it: every decision is made earlier.
func noDial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("goproxy's own transport is not used")
}

// goproxyURL returns the URL that goproxy gets. It is absolute, so goproxy treats the
// request as a proxy request. It contains nothing of the caller's query, since
// goproxy formats it for its log. What is sent is the request's own target.
func (c *conn) goproxyURL(n host.Name) *url.URL {
	if c.url == nil || c.url.Host != n.String() {
		c.url = &url.URL{Scheme: "http", Host: n.String()}
	}
	return c.url
}

// goproxyLog keeps goproxy's messages out of the log: they contain URLs.
type goproxyLog struct{ log *zap.Logger }

// Printf implements goproxy.Logger.
func (g goproxyLog) Printf(string, ...any) { g.log.Debug("goproxy logged a warning") }
