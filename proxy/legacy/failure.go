package legacy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"syscall"

	"tlslift/proxy/hello"
)

// Failure says why a client could not get in. It is a closed set: its String
// is the value of the metrics label "reason" of
// tlslift_client_handshake_failures_total.
type Failure uint8

// The failures.
const (
	Other            Failure = iota
	Version                  // offers nothing that is permitted
	NoSharedCipher           // offers no suite of ours
	Signature                // takes no signature that can be made
	SSLv2Hello               // SSL 2.0 framing that is not accepted
	ClientRejectedCA         // does not trust our CA: unknown_ca, bad_certificate, certificate_unknown
	ClientAlert              // gave up for another reason of its own
	Timeout                  // did not finish in time
	EOF                      // hung up
	NotTLS                   // sent something else
	numFailures
)

var failureWords = [numFailures]string{
	Other: "other", Version: "version", NoSharedCipher: "no_shared_cipher", Signature: "signature",
	SSLv2Hello: "sslv2_hello", ClientRejectedCA: "client_rejected_ca", ClientAlert: "client_alert",
	Timeout: "timeout", EOF: "eof", NotTLS: "not_tls",
}

func (f Failure) String() string {
	if f >= numFailures {
		return failureWords[Other]
	}
	return failureWords[f]
}

// Failures lists every failure, for labels that exist from the start.
func Failures() []Failure {
	all := make([]Failure, 0, numFailures)
	for f := range numFailures {
		all = append(all, f)
	}
	return all
}

// Error is a failed handshake.
type Error struct {
	Failure Failure
	Alert   Alert // sent by the client; AlertNone if it sent none
	// Presented says that the client had been sent our certificate. One that
	// hangs up then (EOF) most often does not trust the CA: Mono and SChannel
	// say so by nothing else.
	Presented bool
	Err       error
}

func (e *Error) Error() string {
	return "TLS handshake failed (" + e.Failure.String() + "): " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Classify tells the failure of an error of hello.Read, or of a handshake.
func Classify(err error) Failure { return newError(err).Failure }

func newError(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	if alert, ok := remoteAlert(err); ok {
		return &Error{Failure: alertFailure(alert), Alert: alert, Err: err}
	}
	return &Error{Failure: localFailure(err), Alert: AlertNone, Err: err}
}

func localFailure(err error) Failure {
	var netErr net.Error
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, hello.ErrNotTLS), errors.As(err, &header):
		return NotTLS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return Timeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.ErrClosedPipe), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, context.Canceled):
		return EOF
	default:
		return textFailure(err.Error())
	}
}

// textFailure knows those errors of crypto/tls that have no type. A test
// provokes each, so that a change of wording is found.
func textFailure(text string) Failure {
	for _, known := range [...]struct {
		part    string
		failure Failure
	}{
		{"client offered only unsupported versions", Version},
		{"inappropriate protocol fallback", Version},
		{"no cipher suite supported by both", NoSharedCipher},
		{"signature algorithms", Signature},
		{"missing signature_algorithms", Signature},
	} {
		if strings.Contains(text, known.part) {
			return known.failure
		}
	}
	return Other
}

func alertFailure(a Alert) Failure {
	switch a {
	case AlertBadCertificate, AlertCertificateUnknown, AlertUnknownCA:
		return ClientRejectedCA
	case AlertCloseNotify, AlertUserCanceled:
		return EOF
	default:
		return ClientAlert
	}
}

// remoteAlert digs the number of the client's alert out of the error of
// crypto/tls, which has it as an unexported integer type.
func remoteAlert(err error) (Alert, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return AlertNone, false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return Alert(v.Uint()), true
	}
	return AlertNone, false
}
