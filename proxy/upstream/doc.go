// Package upstream is the TLS 1.2+ side of tlslift: resolving names, dialling,
// verified TLS, a pool of warm connections, and a round trip that sends a
// request at most once.
//
// # At most once
//
// The legacy API sends a message for a GET, so a request that is repeated is a
// second, paid message. [Transport.Do] writes a request to one connection. It
// tries another one only while not a single byte was accepted by a socket; the
// bytes are counted below crypto/tls, by the wrapper around the socket. From
// the first accepted byte on, whatever goes wrong is reported as
// [problem.Unknown] and nothing is tried again.
//
// # What an answer is
//
// Answers up to Options.ResponseBuffer are held until they are complete, so a
// truncated one is an [Error] and not half a document. Larger ones stream:
// their truncation makes Body.Read return an *Error, and the caller must then
// abort its own connection, never end it cleanly. An upstream of which the
// length is unknown and that closes without TLS close_notify counts as
// truncated (RFC 9112 9.8).
//
// # Connections
//
// A connection is owned by exactly one of: the request that uses it, its pool
// (idle), or the goroutine that dials it. Idle connections that were never
// used are read in the background, so that session tickets are taken and a
// close is noticed at once; used ones are read without blocking before they
// are used again. Both are done through the TLS layer, with a read that gives
// up instead of blocking, because a readable socket may hold a mere ticket.
//
// Nothing here reads the environment's proxy variables.
package upstream
