package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"time"

	"tlslift/proxy/problem"
)

// Error is why there is no connection, or no answer. One from this package is
// never of a request that was sent.
type Error struct {
	Reason   problem.Reason
	Delivery problem.Delivery // the zero value is NotSent
	Err      error            // what went wrong
}

// maxErrorText bounds the text of an Error in bytes: a certificate may name its
// owner at any length.
const maxErrorText = 300

// Error never contains a URL, a query, a body or a header value: every error
// that is wrapped here comes from the packages of the upstream side, from the
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

// ErrSilent is the error of a TLS handshake with a server that says nothing.
var ErrSilent = errors.New("no answer to the TLS hello")

// shake is the TLS handshake of c, which TLSTimeout bounds. key is what leads to the
// server.
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

// withTimeout is context.WithTimeout for what a key bounds.
func withTimeout(ctx context.Context, d time.Duration, key string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%v (%s)", d, key))
}

// within says which time has passed, if the context knows it.
func within(ctx context.Context) string {
	cause := context.Cause(ctx)
	if errors.Is(cause, context.DeadlineExceeded) {
		return "in time"
	}
	return "within " + cause.Error()
}

// handshakeError is err, or ErrPlainHTTP with the key to look at if that is what err
// comes of. Old servers answer with a page that has no head.
func handshakeError(err error, key string) error {
	var wrong tls.RecordHeaderError
	if errors.As(err, &wrong) && (string(wrong.RecordHeader[:]) == "HTTP/" || wrong.RecordHeader[0] == '<') {
		return fmt.Errorf("%w: see %s", ErrPlainHTTP, key)
	}
	return err
}

var (
	errOwnAddress = errors.New("the address is one of our own")
	errCameBack   = errors.New("the connection led back to tlslift itself")
	errInternal   = errors.New("the name resolves to an internal address")
)

// asError returns err as an *Error: of the given reason unless it is one
// already, or the context was cancelled.
func asError(ctx context.Context, err error, otherwise problem.Reason) error {
	var e *Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &Error{Reason: problem.Draining, Err: err}
	case errors.As(err, &e):
		return e
	default:
		return &Error{Reason: otherwise, Err: err}
	}
}

// reason returns the reason of an *Error, None for any other error.
func reason(err error) problem.Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return problem.None
}

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
