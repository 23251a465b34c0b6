// Package front is the front door: it accepts connections, applies the
// limits, looks at the first bytes, and stands between every HTTP-speaking
// client and net/http.
//
// net/http is lenient where a proxy must not be (two equal Content-Lengths,
// obs-fold, Transfer-Encoding on HTTP/1.0) and strict where old clients are
// not (a raw space in the request target is 400 before any handler runs). So
// a [Conn] judges every raw request head before net/http sees a byte of it,
// repairs what is tolerated, follows the body's framing to the next head, and
// never hands out bytes beyond the current message.
//
// What is refused is replaced by a harmless, well-formed request, and the
// handler finds a [Refusal] on the Conn: answers, log lines and metrics all
// come from one place, in pipelining order, and the client gets its answer
// instead of a reset (see linger.go).
//
// # What is left to net/http and what is not
//
// Deadlines, limits and liveness belong to the Conn; an http.Server that
// serves Conns is set up by [Configure] and must have no timeouts of its own.
// See read.go for how net/http's background read is kept off the socket.
package front
