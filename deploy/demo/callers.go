package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// caller is one sample application: its port of tlslift, and its request.
type caller struct {
	name string
	port string
	call func(conn net.Conn, number int) error
}

// callTimeout bounds one call.
const callTimeout = 15 * time.Second

// callers calls through tlslift until ctx ends.
func callers(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("callers", flag.ContinueOnError)
	proxy := flags.String("proxy", "127.0.0.1", "host of tlslift; ports 3131 to 3134 are the applications'")
	root := flags.String("root", "", "root.pem of tlslift's CA, for the application with TLS 1.0")
	every := flags.Duration("every", 2*time.Second, "time between calls")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *every <= 0 {
		return errors.New("-every must be positive")
	}
	pool := x509.NewCertPool()
	if *root != "" {
		data, err := os.ReadFile(*root)
		if err != nil {
			return fmt.Errorf("read tlslift's root: %w", err)
		}
		pool.AppendCertsFromPEM(data)
	}
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for number := 1; ; number++ {
		for _, c := range samples(pool) {
			if err := c.once(ctx, *proxy, number); err != nil {
				fmt.Printf("%s: %v\n", c.name, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c caller) once(ctx context.Context, proxy string, number int) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(proxy, c.port))
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return c.call(conn, number)
}

func samples(roots *x509.CertPool) []caller {
	return []caller{
		{"php-billing", "3131", func(conn net.Conn, n int) error {
			return speak(conn, fmt.Sprintf("GET http://api.smsportal.com/api5/http5.aspx?Type=sendparam&Username=demo&Password=demo&numto=27830000001&data1=Order %d HTTP/1.0\r\nHost: api.smsportal.com\r\n\r\n", n))
		}},
		{"delphi-till", "3132", func(conn net.Conn, n int) error {
			body := fmt.Sprintf("Type=sendparam&Username=demo&Password=demo&numto=27830000002&data1=Till+%d", n)
			return speak(conn, fmt.Sprintf("POST /api5/http5.aspx HTTP/1.0\r\nHost: www.mymobileapi.com\r\nUser-Agent: Mozilla/4.0 (compatible; Synapse)\r\n"+
				"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
		}},
		{"java6-crm", "3133", func(conn net.Conn, n int) error {
			return secure(conn, n, "27830000003", &tls.Config{
				ServerName: "rest.smsportal.com", RootCAs: roots,
				MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10, //nolint:gosec // an old client is what it stands for
			})
		}},
		{"modern-app", "3134", func(conn net.Conn, n int) error {
			// The far end is the pretend SMSPortal, whose CA this caller does not know.
			return secure(conn, n, "27830000004", &tls.Config{ServerName: "rest.smsportal.com", MinVersion: tls.VersionTLS13, InsecureSkipVerify: true}) //nolint:gosec // see above
		}},
	}
}

// secure sends a message inside TLS inside CONNECT.
func secure(conn net.Conn, n int, to string, config *tls.Config) error {
	if _, err := io.WriteString(conn, "CONNECT rest.smsportal.com:443 HTTP/1.1\r\nHost: rest.smsportal.com:443\r\n\r\n"); err != nil {
		return err
	}
	// Not a byte further than the answer: what follows is TLS.
	resp, err := http.ReadResponse(bufio.NewReaderSize(io.LimitReader(conn, 4096), 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("CONNECT: " + resp.Status)
	}
	client := tls.Client(conn, config)
	if err := client.Handshake(); err != nil {
		return err
	}
	body := fmt.Sprintf(`{"messages":[{"content":"Hello %d","destination":%q}]}`, n, to)
	return speak(client, fmt.Sprintf("POST /BulkMessages HTTP/1.1\r\nHost: rest.smsportal.com\r\nAuthorization: Basic ZGVtbzpkZW1v\r\n"+
		"Content-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

// speak writes a request and reads the answer.
func speak(conn net.Conn, request string) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(resp.Status))
	}
	return nil
}
