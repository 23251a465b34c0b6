// Package proxy serves connections: it takes each request and each tunnel from
// the facts over a decision (package decide) to one outcome, which finish hands
// to the log, the metrics and the ledger.
//
// A connection is carried by one goroutine from accept to end:
//
//	server.go     listeners, life cycle, reload
//	conn.go       one connection: HTTP, CONNECT, TLS
//	request.go    one request, through goproxy's filters
//	tunnel.go     what follows a CONNECT or a ClientHello: splice, terminate, relay
//	finish.go     one outcome: line, metrics, ledger
//	shutdown.go   draining
//
// Package proxy alone knows goproxy. Everything it needs is handed to New; it
// keeps no package-level state.
package proxy
