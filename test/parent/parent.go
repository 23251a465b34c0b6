// Package parent is a corporate proxy for tests: CONNECT (RFC 9110 section 9.3.6)
// and requests in absolute form (RFC 9112 section 3.2.2), over plain HTTP or TLS.
// It resolves nothing: what it may reach is told.
package parent

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"tlslift/test/wire"
)

// Options say how the proxy behaves. The zero value listens on a free port of
// loopback and refuses everything.
type Options struct {
	Listener net.Listener // nil = a free port of loopback
	TLS      *tls.Config  // nil = plain HTTP
	// Leads is where a host:port leads; any other is refused with 403.
	Leads map[string]string
	// Dial connects to where a host leads; nil = net.Dial.
	Dial func(network, address string) (net.Conn, error)
	// Answer, if set, is the whole answer to every request.
	Answer string
}

// Proxy is a running parent proxy.
type Proxy struct {
	options  Options
	listener net.Listener
	running  sync.WaitGroup

	mu   sync.Mutex
	seen []wire.Head
	open map[net.Conn]bool
}

// Start runs one until Close.
func Start(o Options) (*Proxy, error) {
	if o.Dial == nil {
		o.Dial = net.Dial
	}
	p := &Proxy{options: o, listener: o.Listener, open: make(map[net.Conn]bool)}
	if p.listener == nil {
		var err error
		if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, fmt.Errorf("starting a parent proxy: %w", err)
		}
	}
	if o.TLS != nil {
		p.listener = tls.NewListener(p.listener, o.TLS)
	}
	p.running.Go(p.accept)
	return p, nil
}

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Seen are the heads of the requests so far.
func (p *Proxy) Seen() []wire.Head {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]wire.Head(nil), p.seen...)
}

// Close ends the proxy and its connections.
func (p *Proxy) Close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}

func (p *Proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.keep(near)
		p.running.Go(func() {
			defer p.end(near)
			p.serve(near)
		})
	}
}

func (p *Proxy) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[c] = true
}

func (p *Proxy) end(c net.Conn) {
	_ = c.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

func (p *Proxy) serve(near net.Conn) {
	reader := bufio.NewReader(near)
	for {
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		p.note(request)
		switch {
		case p.options.Answer != "":
			_, _ = io.Copy(io.Discard, request.Body)
			_, _ = io.WriteString(near, p.options.Answer)
			return
		case request.Method == http.MethodConnect:
			p.tunnel(near, reader, request.RequestURI)
			return
		case !p.forward(near, request):
			return
		}
	}
}

func (p *Proxy) note(r *http.Request) {
	header := r.Header.Clone()
	header.Set("Host", r.Host)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, wire.Head{Method: r.Method, Target: r.RequestURI, Proto: r.Proto, Header: header})
}

const refused = "HTTP/1.1 403 Forbidden\r\nX-Parent: denied\r\nContent-Length: 6\r\n\r\ndenied"

func (p *Proxy) tunnel(near net.Conn, reader io.Reader, authority string) {
	to := p.options.Leads[authority]
	if to == "" {
		_, _ = io.WriteString(near, refused)
		return
	}
	far, err := p.options.Dial("tcp", to)
	if err != nil {
		return
	}
	p.keep(far)
	defer p.end(far)
	_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.running.Go(func() {
		_, _ = io.Copy(far, reader)
		_ = far.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(near, far)
}

// forward passes on a request in absolute form, and reports whether the
// connection can be used again.
func (p *Proxy) forward(near net.Conn, r *http.Request) bool {
	port := r.URL.Port()
	if port == "" {
		port = "80"
	}
	to := p.options.Leads[net.JoinHostPort(r.URL.Hostname(), port)]
	if !r.URL.IsAbs() || to == "" {
		_, _ = io.Copy(io.Discard, r.Body)
		_, err := io.WriteString(near, refused)
		return err == nil
	}
	transport := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true,
		DialContext: func(_ context.Context, network, _ string) (net.Conn, error) { return p.options.Dial(network, to) },
	}
	for _, field := range []string{"Proxy-Authorization", "Proxy-Connection", "Connection"} {
		r.Header.Del(field)
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	answer.Header.Set("X-Parent", "forwarded")
	answer.Close = false
	return answer.Write(near) == nil
}
