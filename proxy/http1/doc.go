// Package http1 reads and writes HTTP/1.0 and HTTP/1.1 (RFC 9112), as a server
// towards callers and as a client towards upstreams. It is the only place that
// knows how heads, chunks and bodies look on the wire.
//
// # Requests
//
// [Conn] is the server's side of one connection. It validates every head before a
// handler sees it. Framing is taken from one Content-Length of plain digits, or
// from exactly "chunked" on HTTP/1.1; anything ambiguous is refused. Other faults
// of old clients are repaired: raw spaces in the target, bare LF line ends, a Host
// that differs from the target's host, empty lines before the request line. A
// refused request still reaches the handler, as a [Request] with a [Refusal], so
// all answers come from one place and in order.
//
// # Answers
//
// Upstream answers are parsed leniently: rejecting one turns a message that was
// sent into one whose fate is unknown. An answer is rejected only if its length is
// ambiguous.
package http1
