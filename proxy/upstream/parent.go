package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// maxParentHead bounds the head of a parent proxy's answer to CONNECT.
const maxParentHead = 32 << 10

// dialParent makes a tunnel to target, host:port, through the parent proxy
// (RFC 9110 9.3.6). Whatever fails is problem.ParentProxy, and nothing was
// sent.
func (t *Transport) dialParent(ctx context.Context, st *state, target string) (net.Conn, *socket, error) {
	s, err := t.dialParentSocket(ctx, st)
	if err != nil {
		return nil, nil, asParentError(err)
	}
	var c net.Conn = s
	if st.opts.ParentProxy.Scheme == "https" {
		if c, err = parentTLS(ctx, st, s); err != nil {
			_ = s.Close()
			return nil, nil, notSent(problem.ParentProxy, err)
		}
	}
	top, err := connectVia(ctx, st, c, target)
	if err != nil {
		_ = s.Close()
		return nil, nil, notSent(problem.ParentProxy, err)
	}
	return top, s, nil
}

// asParentError keeps a loop a loop and makes everything else the parent's.
func asParentError(err error) *Error {
	e := asError(err, problem.ParentProxy)
	if e.Reason == problem.Loop {
		return e
	}
	return notSent(problem.ParentProxy, e.Err)
}

func (t *Transport) dialParentSocket(ctx context.Context, st *state) (*socket, error) {
	u := st.opts.ParentProxy
	name, port, err := host.ParseAuthority(u.Host)
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = map[string]uint16{"http": portHTTP, "https": portHTTPS}[u.Scheme]
	}
	addrs := []netip.Addr{name.Addr()}
	if !name.IsAddr() {
		if addrs, _, err = st.names.LookupSystem(ctx, name); err != nil {
			return nil, fmt.Errorf("resolve the parent proxy: %w", err)
		}
		addrs = addrs[:min(len(addrs), maxAddresses)]
	}
	targets := make([]netip.AddrPort, 0, len(addrs))
	for _, a := range addrs {
		targets = append(targets, netip.AddrPortFrom(a, port))
	}
	return t.dialAddrs(ctx, st, targets, true)
}

func parentTLS(ctx context.Context, st *state, s *socket) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, st.opts.TLSTimeout)
	defer cancel()
	c := tls.Client(s, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: slices.Clone(suites),
		ServerName:   st.opts.ParentProxy.Hostname(),
		NextProtos:   []string{"http/1.1"},
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with the parent proxy: %w", err)
	}
	return c, nil
}

// connectVia asks the proxy behind c for a tunnel. Bytes that follow its
// answer at once are kept.
func connectVia(ctx context.Context, st *state, c net.Conn, target string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	head := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if u := st.opts.ParentProxy.User; u != nil {
		password, _ := u.Password()
		if st.opts.ParentProxyPassword != "" {
			password = st.opts.ParentProxyPassword
		}
		credentials := base64.StdEncoding.EncodeToString([]byte(u.Username() + ":" + password))
		head += "Proxy-Authorization: Basic " + credentials + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return nil, fmt.Errorf("send CONNECT to the parent proxy: %w", err)
	}
	br := bufio.NewReaderSize(io.LimitReader(c, maxParentHead), 4096)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		if timedOut(err) {
			return nil, errors.New("the parent proxy did not answer CONNECT in time")
		}
		return nil, errors.New("the parent proxy's answer to CONNECT is not HTTP")
	}
	if resp.StatusCode/100 != 2 {
		return nil, fmt.Errorf("the parent proxy refused CONNECT with status %d", resp.StatusCode)
	}
	if !stop() {
		return nil, ctx.Err()
	}
	if br.Buffered() == 0 {
		return c, nil
	}
	early, _ := br.Peek(br.Buffered())
	return &prefixConn{Conn: c, prefix: slices.Clone(early)}, nil
}

// prefixConn is a connection of which some bytes were read already.
type prefixConn struct {
	net.Conn
	prefix []byte
}

func (c *prefixConn) Read(p []byte) (int, error) {
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		c.prefix = c.prefix[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite ends our half of the connection.
func (c *prefixConn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}
