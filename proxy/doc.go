// Package proxy serves connections. It takes each request and each tunnel from the
// facts through a decision (package decide) to one outcome. finish hands that outcome
// to the log, the metrics and the ledger.
//
// One goroutine serves each connection, and two run each relay. The main files are:
//
//	server.go     listeners, life cycle, reload
//	conn.go       one connection: HTTP, CONNECT, TLS
//	request.go    one request, through goproxy's filters; requestend.go its outcome
//	tunnel.go     what follows a CONNECT or a ClientHello: splice, terminate, relay; tunnelend.go its outcome
//	finish.go     one outcome: log line, metrics, ledger
//	shutdown.go   draining
//
// Only package proxy imports goproxy. Everything that the package needs is handed to
// New. Its only package-level state is a pool of relay buffers.
package proxy
