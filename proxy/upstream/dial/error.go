package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"tlslift/proxy/problem"
)

// Error says why there is no connection, or no answer. If this package returns one,
// no request was sent.
type Error struct {
	Reason   problem.Reason
	Delivery problem.Delivery // the zero value is NotSent
	Err      error            // what went wrong
}

// maxErrorText limits the text of an Error, in bytes: a certificate may contain an
// owner's name of any length.
const maxErrorText = 300

// Error returns a text that never contains a URL, a query, a body or a header value.
// Every error that is wrapped here comes from the upstream packages, from the
// system's networking, or from crypto/tls.
func (e *Error) Error() string {
	text := "upstream: " + e.Reason.String() + " (" + e.Delivery.String() + "): " + e.Err.Error()
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "..."
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrPlainHTTP is the error of a TLS handshake with a server that speaks plain HTTP.
var ErrPlainHTTP = errors.New("the server speaks plain HTTP, not TLS")

// ErrSilent is the error of a TLS handshake with a server that does not answer.
var ErrSilent = errors.New("no answer to the TLS hello")

// shake does the TLS handshake of c within TLSTimeout. key is the setting that leads
// to the server.
func (d *Dialer) shake(ctx context.Context, c *tls.Conn, key string) error {
	ctx, cancel := withTimeout(ctx, d.TLSTimeout, "upstream.tls_timeout")
	defer cancel()
	err := c.HandshakeContext(ctx)
	switch {
	case !errors.Is(err, context.DeadlineExceeded):
		return handshakeError(err, key)
	case c.ConnectionState().Version == 0:
		return fmt.Errorf("%w %s", ErrSilent, within(ctx))
	default:
		return fmt.Errorf("the TLS handshake did not end %s", within(ctx))
	}
}

// withTimeout is context.WithTimeout for a limit that is configured by key.
func withTimeout(ctx context.Context, d time.Duration, key string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%v (%s)", d, key))
}

// within describes the limit that was exceeded, if the context knows it.
func within(ctx context.Context) string {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return "in time"
	}
	return "within " + cause.Error()
}

// handshakeError returns err, or ErrPlainHTTP with the setting to check if that is
// the cause. Old servers answer with a page that has no head.
func handshakeError(err error, key string) error {
	if wrong, ok := errors.AsType[tls.RecordHeaderError](err); ok && (string(wrong.RecordHeader[:]) == "HTTP/" || wrong.RecordHeader[0] == '<') {
		return fmt.Errorf("%w: see %s", ErrPlainHTTP, key)
	}
	return err
}

var (
	errOwnAddress = errors.New("the address is one of our own")
	errCameBack   = errors.New("the connection led back to tlslift itself")
	errInternal   = errors.New("the name resolves to an internal address")
)

// asError returns err as an *Error. If the context was cancelled, its reason is
// Draining. Otherwise an *Error is unchanged, and any other error gets the given
// reason, or Limit if this process or system has no file descriptor left.
func asError(ctx context.Context, err error, otherwise problem.Reason) error {
	var e *Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Reason: problem.Draining, Err: err}
	case errors.As(err, &e):
		return e
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return &Error{Reason: problem.Limit, Err: err}
	default:
		return &Error{Reason: otherwise, Err: err}
	}
}

// reason returns the reason of an *Error, or None for any other error.
func reason(err error) problem.Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return problem.None
}

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
