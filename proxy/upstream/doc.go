// Package upstream sends requests to the upstreams over TLS 1.2 or 1.3, and
// dials tunnels. A request is sent at most once.
//
// It builds on three packages. Each knows only those below it:
//
//	upstream   writes a request to one connection and reads the answer
//	pool       owns the connections to one target
//	dial       makes connections: addresses, parent proxy, TLS
//	names      resolves host names
//
// # At most once
//
// The legacy API sends a message for a GET, so a repeated request is a second, paid
// message. [Transport.Do] writes a request to one connection. It tries another one
// only if the kernel has not accepted a single byte; bytes are counted below
// crypto/tls. After the first accepted byte, every failure is [problem.Unknown], and
// the request is not retried.
//
// # Answers
//
// Answers up to Options.ResponseBuffer are held until they are complete: a truncated
// one becomes an [Error], not half a document. Larger ones stream. If a streamed
// answer is truncated, Body.Read returns an *Error. The caller must then abort its
// own connection, never end it cleanly. An answer that only the end of the connection
// delimits is truncated if TLS ends without close_notify (RFC 9112 section 9.8).
//
// # Snapshots
//
// A [Snapshot] is one configuration. A [Route] belongs to the Snapshot that made it,
// and Do uses only that Snapshot, so a reload never changes the settings of a request
// in flight. Pools outlive snapshots.
//
// Nothing here reads the environment's proxy variables.
package upstream
