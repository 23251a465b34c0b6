package report

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"tlslift/metrics/figures"
)

// How long a source may take to accept a connection, and to answer.
const (
	connectTime = 10 * time.Second
	answerTime  = 2 * time.Minute
)

// peer describes what a source should be.
type peer struct {
	name string // as in "is this NAME?"
	find string // what to do if nothing listens at the address
}

// giveAdmin is what to do if an address other than the admin one was given.
const giveAdmin = "give the address of its admin.address (127.0.0.1:9128 by default)"

var (
	adminPeer      = peer{"tlslift's admin address", "start tlslift, or " + giveAdmin}
	prometheusPeer = peer{"the address of a Prometheus-compatible API", "start it, or correct the address"}
)

// errElsewhere ends the error about a redirect, which needs no further explanation.
var errElsewhere = errors.New("give that address")

// wsaConnRefused is Windows' error for a refused connection. No other system uses
// that number.
const wsaConnRefused = syscall.Errno(10061)

// explain says why a request to an address got no answer, and what to do about
// it. It leaves out the address, which the caller's error already contains.
func (p peer) explain(err error, u *url.URL) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		err = failed.Err
	}
	var (
		name        *net.DNSError
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		record      tls.RecordHeaderError
		late        net.Error
	)
	timeout := errors.As(err, &late) && late.Timeout()
	during := ""
	if errors.As(err, &operation) {
		during = operation.Op
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errElsewhere):
		return err
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return fmt.Errorf("it does not speak TLS: write http://%s", u.Host)
	case strings.Contains(err.Error(), `malformed HTTP response "\x15\x03`): // a TLS alert
		return fmt.Errorf("it speaks TLS: write https://%s", u.Host)
	case during == "proxyconnect":
		return fmt.Errorf("the proxy of this machine's environment does not answer: %w; correct HTTP_PROXY and HTTPS_PROXY, or add %s to NO_PROXY", operation.Err, u.Hostname())
	case errors.As(err, &name) && name.IsNotFound:
		return fmt.Errorf("there is no host %s: correct the name, or give an IP address", name.Name)
	case errors.As(err, &name):
		return fmt.Errorf("cannot resolve %s (%s): give an IP address, or check this machine's DNS", name.Name, name.Err)
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wsaConnRefused):
		return fmt.Errorf("connection refused: nothing listens there; %s", p.find)
	case during == "dial" && timeout:
		return fmt.Errorf("no connection within %s: correct the address, or let this machine through the firewall", figures.Length(connectTime))
	case during == "dial":
		return fmt.Errorf("no connection: %w; correct the address", operation.Err)
	case timeout:
		return fmt.Errorf("no answer within %s: is this %s?", figures.Length(answerTime), p.name)
	case errors.As(err, &certificate):
		return fmt.Errorf("its certificate does not verify: %w; add its CA to those of this machine, or give the name in the certificate", certificate.Err)
	case during == "remote error": // a TLS alert
		return fmt.Errorf("the TLS handshake failed: %w; is this %s?", operation.Err, p.name)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("it closed the connection without an answer: is this %s?", p.name)
	}
	return fmt.Errorf("%s: is this %s?", strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: "), p.name)
}
