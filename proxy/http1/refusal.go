package http1

import (
	"errors"
	"io"
	"net/http"
	"syscall"
	"time"

	"tlslift/proxy/problem"
)

// Refusal says why a request was refused before it reached the handler. The handler
// still answers it, and the connection then ends.
type Refusal struct {
	Reason problem.Reason
	Status int           // the HTTP status to answer with
	Cause  problem.Cause // passed on to the answer
	Detail string        // a constant sentence for the log, with nothing that the caller sent
	Waited time.Duration // how long the head was waited for; 0 if there was no wait
	Silent bool          // the caller sent nothing; see Options.Unasked
}

// BodyError is the error of reading a request's body that the caller did not send
// as announced.
type BodyError struct {
	// Reason is ClientTimeout (no progress, or the caller left), TooLarge (a
	// chunked body over its limit) or Malformed (broken chunk framing).
	Reason problem.Reason
	Err    error
}

func (e *BodyError) Error() string { return "reading the request body: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// Gone reports whether the caller ended its side, or the connection was lost,
// before the body was complete.
func (e *BodyError) Gone() bool {
	return errors.Is(e.Err, io.ErrUnexpectedEOF) || errors.Is(e.Err, syscall.ECONNRESET) || errors.Is(e.Err, io.ErrClosedPipe)
}

// Details of refusals, for the log.
const (
	detailBlankLines    = "too many empty lines before the request line"
	detailRequestLine   = "malformed request line"
	detailMethod        = "malformed method"
	detailSOCKS         = "the caller speaks SOCKS: set tlslift as its HTTP proxy, not as a SOCKS proxy"
	detailVersion       = "HTTP version is neither 1.0 nor 1.1"
	detailTarget        = "malformed request target"
	detailControl       = "control character in the request target"
	detailEscape        = "bad escape in the path"
	detailAuthority     = "malformed authority in the request target"
	detailFold          = "folded header line"
	detailHeaderName    = "malformed header name"
	detailHeaderValue   = "control character in a header value"
	detailLookalike     = "header name that could be taken for a framing field"
	detailNoHost        = "HTTP/1.1 without Host"
	detailTwoHosts      = "more than one Host"
	detailHost          = "malformed Host"
	detailTwoLengths    = "more than one Content-Length"
	detailLength        = "malformed Content-Length"
	detailNoLength      = "HTTP/1.0 request without the length of its body"
	detailLengthAndTE   = "Content-Length with Transfer-Encoding"
	detailTE            = "Transfer-Encoding is not exactly chunked"
	detailTE10          = "Transfer-Encoding on HTTP/1.0"
	detailHeadTooLarge  = "request head over its limit"
	detailManyFields    = "too many header fields"
	detailTargetTooLong = "request line over its limit"
	detailBodyTooLarge  = "request body over its limit"
	detailHeadTimeout   = "request head did not arrive in time"
	detailHeadCut       = "connection ended inside a request head"
	detailNoMemory      = "no memory for a large request head"
)

func malformed(detail string) *Refusal {
	return &Refusal{Reason: problem.Malformed, Status: http.StatusBadRequest, Detail: detail}
}

// lengthless refuses an HTTP/1.0 request whose body has no length.
func lengthless() *Refusal {
	return &Refusal{Reason: problem.Malformed, Status: http.StatusBadRequest, Cause: problem.NoLength, Detail: detailNoLength}
}

// notHTTP refuses a head that cannot begin with a method. first is its first byte.
func notHTTP(first byte) *Refusal {
	if first == 4 || first == 5 { // the version in a SOCKS request (RFC 1928 section 3)
		return &Refusal{Reason: problem.Malformed, Status: http.StatusBadRequest, Cause: problem.SOCKS, Detail: detailSOCKS}
	}
	return malformed(detailMethod)
}

func tooLarge(status int, detail string) *Refusal {
	return &Refusal{Reason: problem.TooLarge, Status: status, Detail: detail}
}

func noMemory() *Refusal {
	return &Refusal{Reason: problem.Limit, Status: http.StatusServiceUnavailable, Detail: detailNoMemory}
}

// late refuses a head that did not arrive in time. silent means that not even its
// first byte did.
func late(silent bool) *Refusal {
	return &Refusal{Reason: problem.ClientTimeout, Status: http.StatusRequestTimeout, Detail: detailHeadTimeout, Silent: silent}
}
