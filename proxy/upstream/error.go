package upstream

import (
	"errors"
	"fmt"
	"os"

	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
)

// Error is a failed round trip, dial or probe.
type Error struct {
	Reason   problem.Reason
	Delivery problem.Delivery
	Err      error // what went wrong
}

// maxErrorText bounds the text of an Error in bytes: a certificate may name its
// owner at any length.
const maxErrorText = 300

// Error never contains a URL, a query, a body or a header value: every error
// that is wrapped here comes from this package and those below it, from the
// system's networking, or from crypto/tls.
func (e *Error) Error() string {
	text := "upstream: " + e.Reason.String() + " (" + e.Delivery.String() + ")"
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "..."
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// BodyError says that the request's body could not be read from the caller.
// Nothing is wrong with the upstream.
type BodyError struct {
	Delivery problem.Delivery // whether part of the request went upstream before
	Err      error            // what the body's Read returned
}

func (e *BodyError) Error() string {
	return fmt.Sprintf("read request body (%s): %v", e.Delivery, e.Err)
}

// Unwrap returns what the body's Read returned.
func (e *BodyError) Unwrap() error { return e.Err }

var (
	errInterim    = errors.New("too many interim answers, or a switch of protocols")
	errNoAnswer   = errors.New("the connection ended without an answer")
	errCut        = errors.New("shutting down")
	errClosed     = errors.New("the transport is closed")
	errForeign    = errors.New("a foreign host has no TLS settings")
	errBodyClosed = errors.New("the body was closed")
)

var errDraining = notSent(problem.Draining, errCut)

func notSent(r problem.Reason, err error) *Error {
	return &Error{Reason: r, Delivery: problem.NotSent, Err: err}
}

func unknown(r problem.Reason, err error) *Error {
	return &Error{Reason: r, Delivery: problem.Unknown, Err: err}
}

// asError returns err as an *Error. What package dial reports is not sent.
func asError(err error) *Error {
	var e *Error
	var d *dial.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.As(err, &d):
		return notSent(d.Reason, d.Err)
	default:
		return notSent(problem.Protocol, err)
	}
}

// timedOut reports whether err is a deadline that passed.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
