package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"tlslift/proxy/host"
	"tlslift/proxy/http1"
	"tlslift/proxy/problem"
)

// maxParentHead limits the head of a parent proxy's answer to CONNECT, in bytes.
const maxParentHead = 32 << 10

// Parent is a corporate proxy that connections are made through.
type Parent struct {
	Roots *x509.CertPool // for an https proxy; nil = the system's

	name        host.Name
	port        uint16
	secure      bool   // https
	credentials string // for Basic, in base64; "" = none
}

// NewParent makes a Parent from an http or https URL with a host. A password that is
// not empty replaces the URL's.
func NewParent(u *url.URL, password string) (*Parent, error) {
	name, port, err := host.ParseAuthority(u.Host)
	if err != nil || name.IsZero() || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the parent proxy must be an http or https URL with a host")
	}
	p := &Parent{name: name, port: port, secure: u.Scheme == "https"}
	switch {
	case port != 0:
	case p.secure:
		p.port = 443
	default:
		p.port = 80
	}
	switch {
	case u.User != nil:
		if password == "" {
			password, _ = u.User.Password()
		}
		p.credentials = base64.StdEncoding.EncodeToString([]byte(u.User.Username() + ":" + password))
	case password != "":
		return nil, errors.New("a parent proxy password without a user in the parent proxy's URL")
	}
	return p, nil
}

// Authorization returns the value of Proxy-Authorization for requests to the proxy
// (RFC 9110 section 11.7.2), or "" for none.
func (p *Parent) Authorization() string {
	if p.credentials == "" {
		return ""
	}
	return "Basic " + p.credentials
}

// refused is the status of an answer that refuses CONNECT.
type refused int

func (r refused) Error() string {
	return fmt.Sprintf("the parent proxy refused CONNECT with status %d", int(r))
}

// viaParent makes a tunnel to target, host:port, through the parent proxy (RFC 9110
// section 9.3.6). With an empty target, it connects to the proxy itself. It tries the
// proxy's addresses in turn until one answers. Every failure except a loop is
// problem.ParentProxy.
func (d *Dialer) viaParent(ctx context.Context, target string) (net.Conn, *socket, error) {
	addrs, err := d.parentAddrs(ctx)
	if err != nil {
		return nil, nil, parentError(err)
	}
	type tunnel struct {
		top    net.Conn
		s      *socket
		denied error // by an answer that another address would give too
	}
	made, err := first(ctx, ctx, d, addrs, true, func(ctx context.Context, s *socket) (tunnel, error) {
		var top net.Conn = s
		var err error
		if d.Parent.secure {
			top, err = d.parentTLS(ctx, s)
		}
		if err == nil && target != "" {
			top, err = d.Parent.connect(ctx, top, target)
		}
		if _, ok := errors.AsType[refused](err); ok {
			return tunnel{s: s, denied: err}, nil
		}
		return tunnel{top: top, s: s}, err
	})
	if err != nil {
		return nil, nil, parentError(err)
	}
	if made.denied != nil {
		_ = made.s.Close()
		return nil, nil, parentError(made.denied)
	}
	return made.top, made.s, nil
}

func parentError(err error) error {
	if reason(err) == problem.Loop {
		return err
	}
	return &Error{Reason: problem.ParentProxy, Err: err}
}

// parentAddrs returns the addresses of the parent proxy, in the order to try.
func (d *Dialer) parentAddrs(ctx context.Context) ([]netip.AddrPort, error) {
	addrs := []netip.Addr{d.Parent.name.Addr()}
	if !d.Parent.name.IsAddr() {
		var err error
		if addrs, _, err = d.Names.LookupSystem(ctx, d.Parent.name); err != nil {
			return nil, fmt.Errorf("the parent proxy: %w", err)
		}
	}
	var targets []netip.AddrPort
	for _, a := range addrs[:min(len(addrs), maxAddresses)] {
		targets = append(targets, netip.AddrPortFrom(a, d.Parent.port))
	}
	return targets, nil
}

func (d *Dialer) parentTLS(ctx context.Context, s *socket) (net.Conn, error) {
	c := tls.Client(s, &tls.Config{
		MinVersion:   tls.VersionTLS12,
		CipherSuites: slices.Clone(suites),
		ServerName:   d.Parent.name.String(),
		RootCAs:      d.Parent.Roots,
		NextProtos:   []string{"http/1.1"},
	})
	if err := d.shake(ctx, c, "the https:// in upstream.parent_proxy"); err != nil {
		return nil, fmt.Errorf("TLS with the parent proxy: %w", err)
	}
	return c, nil
}

// connect asks the proxy behind c for a tunnel. It keeps bytes that come right after
// the answer.
func (p *Parent) connect(ctx context.Context, c net.Conn, target string) (net.Conn, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(past) })
	defer stop()
	head := "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n"
	if value := p.Authorization(); value != "" {
		head += "Proxy-Authorization: " + value + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return nil, fmt.Errorf("send CONNECT to the parent proxy: %w", err)
	}
	limited := &io.LimitedReader{R: c, N: maxParentHead}
	br := bufio.NewReaderSize(limited, readBuffer)
	var answer http1.Answer
	err := http1.ReadFinalAnswer(br, http.MethodConnect, &answer)
	switch {
	case timedOut(err):
		return nil, errors.New("the parent proxy did not answer CONNECT in time")
	case err != nil && limited.N <= 0, errors.Is(err, http1.ErrMalformed), errors.Is(err, http1.ErrHeadTooLarge):
		return nil, errors.New("the parent proxy's answer to CONNECT is not HTTP; if it expects TLS, write https:// in upstream.parent_proxy")
	case err != nil && !errors.Is(err, http1.ErrInterim):
		return nil, errors.New("the parent proxy ended the connection without an answer to CONNECT")
	case answer.StatusCode/100 != 2:
		return nil, refused(answer.StatusCode)
	case !stop():
		return nil, ctx.Err()
	case br.Buffered() == 0 && !p.secure:
		return c, nil
	}
	early, _ := br.Peek(br.Buffered())
	return &earlyConn{Conn: c, early: slices.Clone(early)}, nil
}

// earlyConn is a connection that first returns bytes that were read already. It hides
// the socket below, which must not be read directly.
type earlyConn struct {
	net.Conn
	early []byte
}

func (c *earlyConn) Read(p []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// CloseWrite half-closes the connection.
func (c *earlyConn) CloseWrite() error { return closeWrite(c.Conn) }
