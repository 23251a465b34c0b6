// Package http1 reads and writes HTTP/1.0 and HTTP/1.1 (RFC 9112), as a server
// towards callers and as a client towards upstreams. It is the only place that
// knows how heads, chunks and bodies look on the wire.
//
// # Requests
//
// [Conn] is the server's side of one connection. It judges every head before a
// handler sees it. Framing is taken from one Content-Length of plain digits, or
// from exactly "chunked" on HTTP/1.1; everything ambiguous is refused. What old
// clients do beyond that is repaired: raw spaces in the target, bare LF line
// ends, a Host beside a target that names another one, empty lines before the
// request line. What is refused still reaches the handler, as a [Request] with
// a [Refusal], so every answer comes from one place and in order.
//
// # Answers
//
// An upstream's answer is read generously: refusing one turns a message that
// was sent into one of unknown fate. An answer is refused only where its length
// is ambiguous.
package http1
