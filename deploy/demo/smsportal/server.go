// Package smsportal is a pretend SMSPortal: the REST API, the legacy HTTP API
// and its web service over TLS 1.2 and 1.3, on loopback, with a throw-away CA.
// `tlslift demo` shows itself with it and the integration tests prove
// themselves against it.
//
// It records each request exactly as it came over the wire and counts the
// messages it was asked to send, so that a message sent twice is seen.
package smsportal

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"tlslift/deploy/demo/certs"
)

// Hosts are the names the real API answers to; the certificate names them all.
var Hosts = []string{
	"smsportal.com", "*.smsportal.com", "api.smsportal.com", "rest.smsportal.com",
	"mymobileapi.com", "*.mymobileapi.com", "www.mymobileapi.com", "rest.mymobileapi.com", "legacy.mymobileapi.com",
}

// Options say how the pretend server behaves. The zero value is a server on a
// free loopback port with an ECDSA certificate that accepts every credential.
type Options struct {
	Listen       string        // host:port; "" = 127.0.0.1:0
	MaxVersion   uint16        // TLS version; 0 = 1.3
	CipherSuites []uint16      // up to TLS 1.2; nil = Go's own. One that no client offers is shared with none
	RSA          bool          // RSA certificates instead of ECDSA
	Delay        time.Duration // between receiving a request and answering it; the message counts as sent before it
	MaxRequests  int           // per connection, then it is closed; 0 = unlimited
	Keep         int           // how many requests are remembered, the newest; 0 = all. Counts are not affected
	Username     string        // the one accepted user or client ID; "" = every non-empty one
	Password     string        // the one accepted password or secret; "" = every non-empty one

	// Override answers a request instead of the API when it returns true. It
	// is called after the request was recorded, from several goroutines.
	Override func(*Request) (Response, bool)
}

// Server is a running pretend SMSPortal.
type Server struct {
	options  Options
	ca       *certs.CA
	listener net.Listener
	config   *tls.Config
	tokenKey []byte
	record   recorder

	stop    context.CancelFunc
	stopped context.Context
	running sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// New starts a server. Close ends it.
func New(options Options) (*Server, error) {
	kind := certs.ECDSA
	if options.RSA {
		kind = certs.RSA
	}
	ca, err := certs.NewCA("Pretend SMSPortal root", kind)
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	leaf, err := ca.Issue(certs.Leaf{Names: Hosts})
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	listener, err := net.Listen("tcp", cmp.Or(options.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	s := &Server{options: options, ca: ca, listener: listener, conns: map[net.Conn]struct{}{}}
	s.tokenKey = make([]byte, 32)
	_, _ = rand.Read(s.tokenKey) // never fails since Go 1.24
	s.record.init(options.Keep)
	s.config = &tls.Config{
		Certificates: []tls.Certificate{leaf},
		MinVersion:   tls.VersionTLS12,
		MaxVersion:   options.MaxVersion,
		CipherSuites: options.CipherSuites,
		NextProtos:   []string{"http/1.1"},
	}
	s.stopped, s.stop = context.WithCancel(context.Background())
	s.running.Go(s.accept)
	return s, nil
}

// Addr is the host:port the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// CAPEM is the root's certificate, as a ca_file takes it.
func (s *Server) CAPEM() []byte { return s.ca.PEM() }

// Roots holds the server's root alone.
func (s *Server) Roots() *x509.CertPool { return s.ca.Pool() }

// Close stops listening, closes all connections and waits for their
// goroutines.
func (s *Server) Close() error {
	s.stop()
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // out of descriptors, aborted by the peer: the next one may work
		}
		s.mu.Lock()
		s.conns[raw] = struct{}{}
		s.mu.Unlock()
		s.running.Go(func() {
			s.serve(raw)
			s.mu.Lock()
			delete(s.conns, raw)
			s.mu.Unlock()
			_ = raw.Close()
		})
		if s.stopped.Err() != nil { // accepted while Close went through the list
			_ = raw.Close()
		}
	}
}
