package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// caller is an application that calls from an address of its own.
type caller struct {
	name    string // in the configuration; "" = known by its address
	from    string
	every   time.Duration
	agent   string // User-Agent, in clear
	version uint16 // of TLS; 0 = in clear
	how     how
}

type how int

const (
	calls   how = iota
	rejects     // it does not know the certificate that it is shown
	knocks      // it shakes hands and leaves
)

var callers = []caller{
	{name: "php-billing", from: "127.0.1.1", every: 7 * time.Second, agent: "PHP/5.3.29"},
	{name: "delphi-till", from: "127.0.1.2", every: 11 * time.Second, agent: "Mozilla/4.0 (compatible; Synapse)"},
	{name: "java6-crm", from: "127.0.1.3", every: 13 * time.Second, version: tls.VersionTLS10},
	{name: "mobile-api", from: "127.0.1.4", every: 5 * time.Second, version: tls.VersionTLS13},
	{name: "archive", from: "127.0.1.5"}, // never
	{from: "127.0.2.1", every: 17 * time.Second, agent: "Wget/1.12 (linux-gnu)"},
	{from: "127.0.2.2", every: 19 * time.Second, version: tls.VersionTLS12},
	{from: "127.0.2.3", every: 23 * time.Second, version: tls.VersionTLS11},
	{from: "127.0.2.4", every: 29 * time.Second, version: tls.VersionTLS10, how: rejects},
	{from: "127.0.2.5", every: 31 * time.Second, version: tls.VersionTLS13, how: knocks},
}

const timeout = 10 * time.Second

// call lets all callers call, by turns through each instance.
func (f *fleet) call(ctx context.Context, lasts time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	lift, portal := x509.NewCertPool(), x509.NewCertPool()
	lift.AppendCertsFromPEM(f.liftPEM)
	portal.AppendCertsFromPEM(f.portalPEM)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for second := 0; ; second++ {
		for _, c := range callers {
			if every := int(c.every / time.Second); every != 0 && second%every == 0 {
				roots := portal
				if c.version < tls.VersionTLS12 {
					roots = lift
				}
				_ = c.call(ctx, f.instances[second/every%len(f.instances)].proxy, roots)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (c *caller) call(ctx context.Context, proxy string, roots *x509.CertPool) error {
	dialer := net.Dialer{Timeout: timeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}}
	conn, err := dialer.DialContext(ctx, "tcp", proxy)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if c.version == 0 {
		return c.ask(conn, "GET http://rest.smsportal.com/api5/http5.aspx?Type=credits&Username=demo&Password=secret")
	}
	_, _ = io.WriteString(conn, "CONNECT rest.smsportal.com:443 HTTP/1.1\r\nHost: rest.smsportal.com:443\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	if c.how == rejects {
		roots = x509.NewCertPool()
	}
	secure := tls.Client(conn, &tls.Config{ServerName: "rest.smsportal.com", RootCAs: roots, MinVersion: c.version, MaxVersion: c.version}) //nolint:gosec // an old client is the point
	if err := secure.HandshakeContext(ctx); err != nil {
		return err
	}
	if c.how == knocks {
		return secure.Close()
	}
	return c.ask(secure, "GET /api5/http5.aspx?Type=credits")
}

func (c *caller) ask(conn io.ReadWriter, request string) error {
	_, _ = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: rest.smsportal.com\r\nUser-Agent: %s\r\nAuthorization: Basic ZGVtbzpzZWNyZXQ=\r\nConnection: close\r\n\r\n", request, c.agent)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
