package upstream

import (
	"errors"
	"fmt"
	"os"

	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/dial"
	"tlslift/proxy/upstream/names"
)

// Error is a failed round trip, dial or probe.
type Error = dial.Error

// LookupError is the cause of an Error for a name that could not be resolved: the
// host's, or one on the way to it, such as the parent proxy's.
type LookupError = names.LookupError

// ErrPins is the cause of an Error for a verified chain that contains none of the
// pinned keys.
var ErrPins = dial.ErrPins

// ErrPlainHTTP is the cause of an Error for a server or parent proxy that speaks
// plain HTTP where TLS is expected.
var ErrPlainHTTP = dial.ErrPlainHTTP

// ErrSilent is the cause of an Error for a server or parent proxy that does not
// answer the first TLS message.
var ErrSilent = dial.ErrSilent

// BodyError is the error for a request body that could not be read from the caller.
// The upstream is not at fault.
type BodyError struct {
	Delivery problem.Delivery // whether part of the request went upstream before that
	Err      error            // what the body's Read returned
}

func (e *BodyError) Error() string {
	return fmt.Sprintf("read request body (%s): %v", e.Delivery, e.Err)
}

// Unwrap returns what the body's Read returned.
func (e *BodyError) Unwrap() error { return e.Err }

var (
	errNoAnswer      = errors.New("the connection ended without an answer")
	errCut           = errors.New("shutting down")
	errClosed        = errors.New("the transport is closed")
	errForeign       = errors.New("a foreign host has no TLS settings")
	errParentRefused = errors.New("the parent proxy wants other credentials: status 407")
	errBodyClosed    = errors.New("the body was closed")
)

var (
	errDraining   = notSent(problem.Draining, errCut)
	errCallerGone = notSent(problem.ClientGone, errors.New("the caller had given up before anything was sent"))
	errNoMemory   = notSent(problem.Limit, errors.New("no memory is free for the answer"))
	errUploads    = notSent(problem.Limit, errors.New("half of the connections to this host wait for large request bodies"))
)

func notSent(r problem.Reason, err error) *Error {
	return &Error{Reason: r, Delivery: problem.NotSent, Err: err}
}

func unknown(r problem.Reason, err error) *Error {
	return &Error{Reason: r, Delivery: problem.Unknown, Err: err}
}

// timedOut reports whether err is a deadline that passed.
func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
