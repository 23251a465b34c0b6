// Package callers holds sample applications with the habits of real ones: a PHP
// 5 script, a Delphi program, a Java 6 service, a .NET job and a modern service.
// `tlslift demo` and the containers of docker compose run them against the
// pretend SMSPortal.
package callers

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
	"strings"
	"time"
)

// Timeout limits one call.
const Timeout = 10 * time.Second

// Caller is one sample application. It has its own port of tlslift, which gives
// it its name.
type Caller struct {
	Name   string // the client's name
	Who    string // what it is and does, for people
	CameIn string // how its requests come in, for people

	// request makes the request for tlslift's address and the number of the
	// message. Each message is different, so that a double is noticed.
	request func(address string, number int) string
	tls     *tls.Config // of a caller that uses CONNECT; nil = it calls in cleartext
}

// All returns the applications. java6-crm trusts lift, which should hold tlslift's
// own root, and modern-app trusts portal, which should hold the pretend SMSPortal's.
func All(lift, portal *x509.CertPool) []Caller {
	return []Caller{
		{
			Name: "php-billing", Who: "A PHP 5 script sends an SMS by GET, with raw spaces in the URL. tlslift's address was put before the host in its API URL.",
			CameIn: "plain HTTP, base URL (gateway)",
			request: func(address string, number int) string {
				return fmt.Sprintf("GET /api.smsportal.com/api5/http5.aspx?Type=sendparam&Username=demo&Password=secret&numto=27830000001&data1=Your order %d is ready HTTP/1.0\r\n"+
					"Host: %s\r\n\r\n", number, address)
			},
		},
		{
			Name: "delphi-till", Who: "A Delphi program posts a form; its hosts file points www.mymobileapi.com here.",
			CameIn: "plain HTTP, hosts file (gateway)",
			request: func(_ string, number int) string {
				body := fmt.Sprintf("Type=sendparam&Username=demo&Password=secret&numto=27830000002&data1=Till+%d", number)
				return fmt.Sprintf("POST /api5/http5.aspx HTTP/1.0\r\nHost: www.mymobileapi.com\r\n"+
					"User-Agent: Mozilla/4.0 (compatible; Synapse)\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			},
		},
		{
			Name: "java6-crm", Who: "A Java 6 service speaks https, but only TLS 1.0. It trusts tlslift's own CA.",
			CameIn: "TLS 1.0 inside CONNECT, terminated here", request: bulkMessage,
			tls: exactly(tls.VersionTLS10, lift),
		},
		{
			Name: "soap-reports", Who: "A .NET job asks for its balance over SOAP.",
			CameIn: "plain HTTP, forward proxy",
			request: func(string, int) string {
				const body = `<?xml version="1.0"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` +
					`<Credits_STR xmlns="http://www.mymobileapi.com/api5"><username>demo</username><password>secret</password></Credits_STR></soap:Body></soap:Envelope>`
				return fmt.Sprintf("POST http://www.mymobileapi.com/api5/api.asmx HTTP/1.1\r\nHost: www.mymobileapi.com\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 2.0.50727.1433)\r\n"+
					"SOAPAction: \"http://www.mymobileapi.com/api5/Credits_STR\"\r\nContent-Type: text/xml; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			},
		},
		{
			Name: "modern-app", Who: "A modern service speaks TLS 1.3 through the same proxy: its connection is left alone, end to end.",
			CameIn: "TLS 1.3 inside CONNECT, spliced untouched", request: bulkMessage,
			tls: exactly(tls.VersionTLS13, portal),
		},
	}
}

// restHost is the host of the REST API, which the callers with TLS call.
const restHost = "rest.smsportal.com"

// exactly returns the configuration of a caller with a single TLS version.
func exactly(version uint16, roots *x509.CertPool) *tls.Config {
	return &tls.Config{ServerName: restHost, RootCAs: roots, MinVersion: version, MaxVersion: version} //nolint:gosec // standing for an old client is the point
}

func bulkMessage(_ string, number int) string {
	body := fmt.Sprintf(`{"messages":[{"content":"Hello %d","destination":"27830000003"}]}`, number)
	return fmt.Sprintf("POST /BulkMessages HTTP/1.1\r\nHost: %s\r\nAuthorization: Basic ZGVtbzpzZWNyZXQ=\r\n"+
		"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", restHost, len(body), body)
}

// Call makes one call through the tlslift at address (host:port). It returns the
// answer in one line, or an error if the status is not 200.
func (c *Caller) Call(ctx context.Context, address string, number int) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	if c.tls != nil {
		if err := connect(conn); err != nil {
			return "", err
		}
		client := tls.Client(conn, c.tls)
		if err := client.HandshakeContext(ctx); err != nil {
			return "", err
		}
		conn = client
	}
	if _, err := io.WriteString(conn, c.request(address, number)); err != nil {
		return "", err
	}
	return readAnswer(conn)
}

// connect opens a tunnel to the REST API.
func connect(conn net.Conn) error {
	if _, err := fmt.Fprintf(conn, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", restHost); err != nil {
		return err
	}
	// The answer is followed by nothing until the client sends its hello, so no
	// bytes are lost in the reader.
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("CONNECT: " + resp.Status)
	}
	return nil
}

// readAnswer reads an answer and returns it in one line.
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
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	text := strings.Join(strings.Fields(string(body)), " ")
	if len(text) > 100 {
		text = text[:100] + "..."
	}
	return resp.Status + ", " + text, nil
}
