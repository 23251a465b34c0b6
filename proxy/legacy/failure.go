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

	"tlslift/proxy/call"
	"tlslift/proxy/hello"
)

// Error is a failed handshake.
type Error struct {
	Failure call.HandshakeFailure
	Alert   Alert // from the client; AlertNone if it sent none
	// Presented reports whether the client had been sent our certificate. A client
	// that then hangs up (EOF) most often does not trust the CA: Mono and SChannel
	// give no other sign of that.
	Presented bool
	Err       error
}

func (e *Error) Error() string {
	return "TLS handshake failed (" + e.Failure.String() + "): " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Classify returns the failure behind an error of hello.Read, or of a handshake.
func Classify(err error) call.HandshakeFailure { return newError(err).Failure }

func newError(err error) *Error {
	if own, ok := errors.AsType[*Error](err); ok {
		return own
	}
	if alert, ok := remoteAlert(err); ok {
		return &Error{Failure: alertFailure(alert), Alert: alert, Err: err}
	}
	return &Error{Failure: localFailure(err), Alert: AlertNone, Err: err}
}

func localFailure(err error) call.HandshakeFailure {
	var netErr net.Error
	var header tls.RecordHeaderError
	switch {
	case errors.Is(err, hello.ErrNotTLS), errors.As(err, &header):
		return call.HandshakeNotTLS
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &netErr) && netErr.Timeout():
		return call.HandshakeTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.ErrClosedPipe), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, context.Canceled):
		return call.HandshakeEOF
	default:
		return textFailure(err.Error())
	}
}

// textFailure recognises the errors of crypto/tls that have no type. A test
// provokes each of them, so a change of wording is noticed.
func textFailure(text string) call.HandshakeFailure {
	for _, known := range [...]struct {
		part    string
		failure call.HandshakeFailure
	}{
		{"client offered only unsupported versions", call.HandshakeVersion},
		{"inappropriate protocol fallback", call.HandshakeVersion},
		{"no cipher suite supported by both", call.HandshakeNoSharedCipher},
		{"signature algorithms", call.HandshakeSignature},
		{"missing signature_algorithms", call.HandshakeSignature},
	} {
		if strings.Contains(text, known.part) {
			return known.failure
		}
	}
	return call.HandshakeOther
}

func alertFailure(a Alert) call.HandshakeFailure {
	switch {
	case hello.RejectsCertificate(uint8(a)):
		return call.HandshakeClientRejectedCA
	case a == AlertCloseNotify, a == AlertUserCanceled:
		return call.HandshakeEOF
	default:
		return call.HandshakeClientAlert
	}
}

// remoteAlert extracts the number of the client's alert from a crypto/tls error,
// which holds it in an unexported integer type.
func remoteAlert(err error) (Alert, bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return AlertNone, false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return Alert(v.Uint()), true
	}
	return AlertNone, false
}
