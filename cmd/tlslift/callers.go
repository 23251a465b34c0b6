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
	"os"
	"strings"
	"time"
)

// demoTimeout bounds one call of the demo.
const demoTimeout = 10 * time.Second

// caller is one sample application. call returns one line about the answer.
type caller struct {
	name string // the client's name
	who  string
	came string
	call func(ctx context.Context, d *demo) (string, error)
}

// callers are the applications, in the order of their listeners.
func (d *demo) callers() []caller {
	return []caller{
		{
			name: "php-billing", who: "A PHP 5 script sends an SMS by GET, with raw spaces in the URL. tlslift's address was put before the host in its API URL.",
			came: "plain HTTP, base URL (gateway)",
			call: func(ctx context.Context, d *demo) (string, error) {
				return d.speak(ctx, 0, "GET /api.smsportal.com/api5/http5.aspx?Type=sendparam&Username=demo&Password=secret&numto=27830000001&data1=Your order "+
					d.next()+" is ready HTTP/1.0\r\nHost: "+d.address(0)+"\r\n\r\n")
			},
		},
		{
			name: "delphi-till", who: "A Delphi program posts a form; its hosts file points www.mymobileapi.com here.",
			came: "plain HTTP, hosts file (gateway)",
			call: func(ctx context.Context, d *demo) (string, error) {
				body := "Type=sendparam&Username=demo&Password=secret&numto=27830000002&data1=Till+" + d.next()
				return d.speak(ctx, 1, fmt.Sprintf("POST /api5/http5.aspx HTTP/1.0\r\nHost: www.mymobileapi.com\r\n"+
					"User-Agent: Mozilla/4.0 (compatible; Synapse)\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			},
		},
		{
			name: "java6-crm", who: "A Java 6 service speaks https, but only TLS 1.0. It trusts tlslift's own CA.",
			came: "TLS 1.0 inside CONNECT, terminated here",
			call: func(ctx context.Context, d *demo) (string, error) {
				return d.secure(ctx, 2, tls.VersionTLS10, d.roots.lift)
			},
		},
		{
			name: "soap-reports", who: "A .NET job asks for its balance over SOAP.",
			came: "plain HTTP, forward proxy",
			call: func(ctx context.Context, d *demo) (string, error) {
				const body = `<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
					`<Credits_STR xmlns="http://www.mymobileapi.com/api5"><username>demo</username><password>secret</password></Credits_STR></soap:Body></soap:Envelope>`
				return d.speak(ctx, 3, fmt.Sprintf("POST http://www.mymobileapi.com/api5/api.asmx HTTP/1.1\r\nHost: www.mymobileapi.com\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.1433)\r\n"+
					"SOAPAction: \"http://www.mymobileapi.com/api5/Credits_STR\"\r\nContent-Type: text/xml; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
			},
		},
		{
			name: "modern-app", who: "A modern service speaks TLS 1.3 through the same proxy: its connection is left alone, end to end.",
			came: "TLS 1.3 inside CONNECT, spliced untouched",
			call: func(ctx context.Context, d *demo) (string, error) {
				return d.secure(ctx, 4, tls.VersionTLS13, d.roots.portal)
			},
		},
	}
}

// next is the number of the next message: every one is different, so that a
// double would be seen.
func (d *demo) next() string {
	d.told++
	return fmt.Sprint(d.told)
}

// speak writes a raw request to the n-th caller's port, as old programs do.
func (d *demo) speak(ctx context.Context, n int, request string) (string, error) {
	conn, err := dialDemo(ctx, d.address(n))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		return "", err
	}
	return readAnswer(conn)
}

// secure calls the REST API through CONNECT with exactly one TLS version.
func (d *demo) secure(ctx context.Context, n int, version uint16, roots *x509.CertPool) (string, error) {
	conn, err := dialDemo(ctx, d.address(n))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	io.WriteString(conn, "CONNECT rest.smsportal.com:443 HTTP/1.1\r\nHost: rest.smsportal.com:443\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("CONNECT was not answered with 200: %w", errors.Join(err))
	}
	client := tls.Client(conn, &tls.Config{
		ServerName: "rest.smsportal.com", RootCAs: roots,
		MinVersion: version, MaxVersion: version, //nolint:gosec // standing for an old client is the point
	})
	if err := client.HandshakeContext(ctx); err != nil {
		return "", err
	}
	body := `{"messages":[{"content":"Hello ` + d.next() + `","destination":"27830000003"}]}`
	fmt.Fprintf(client, "POST /BulkMessages HTTP/1.1\r\nHost: rest.smsportal.com\r\nAuthorization: Basic ZGVtbzpzZWNyZXQ=\r\n"+
		"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return readAnswer(client)
}

func dialDemo(ctx context.Context, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: demoTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(demoTimeout))
}

// readAnswer tells an answer in one line.
func readAnswer(conn net.Conn) (string, error) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", err
	}
	text := strings.Join(strings.Fields(string(body)), " ")
	if len(text) > 100 {
		text = text[:100] + "..."
	}
	return fmt.Sprintf("%s, %s", resp.Status, text), nil
}

// demoRoots are what the callers trust.
type demoRoots struct{ portal, lift *x509.CertPool }

func newDemoRoots(portalPEM []byte, rootFile string) (demoRoots, error) {
	r := demoRoots{portal: x509.NewCertPool(), lift: x509.NewCertPool()}
	root, err := os.ReadFile(rootFile)
	if err != nil {
		return r, err
	}
	if !r.portal.AppendCertsFromPEM(portalPEM) || !r.lift.AppendCertsFromPEM(root) {
		return r, errors.New("a demo certificate cannot be read")
	}
	return r, nil
}
