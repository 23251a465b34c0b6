// Package smsportal serves the API of the demo's pretend SMSPortal over TLS 1.2 and
// 1.3, with a throw-away CA, for the integration tests. It listens on loopback by
// default, and can misbehave.
//
// It records each request exactly as it came over the wire. It counts the
// messages it was asked to send, so that a message sent twice is noticed.
package smsportal

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	api "tlslift/deploy/demo/smsportal"
	"tlslift/test/certs"
)

// Options say how the pretend server behaves. The zero value is a server on a
// free loopback port, with an ECDSA certificate, that accepts all credentials.
type Options struct {
	Listen       string        // host:port; "" = 127.0.0.1:0
	MaxVersion   uint16        // TLS version; 0 = 1.3
	CipherSuites []uint16      // up to TLS 1.2; nil = Go's own; to share none, name one that no client offers
	RSA          bool          // RSA certificates instead of ECDSA
	Delay        time.Duration // between receiving and answering a request; the message counts as sent before it
	MaxRequests  int           // per connection, which is then closed; 0 = unlimited
	Keep         int           // how many of the newest requests to keep; 0 = all; does not affect Count
	Username     string        // the only accepted user or client ID; "" = any that is not empty
	Password     string        // the only accepted password or secret; "" = any that is not empty

	// If Override returns true, its response is the answer instead of the API's.
	// It is called after the request was recorded, from several goroutines.
	Override func(*Request) (Response, bool)
}

// Server is a running pretend SMSPortal.
type Server struct {
	options  Options
	ca       *certs.CA
	listener net.Listener
	config   *tls.Config
	api      api.API
	record   recorder

	stop    context.CancelFunc
	stopped context.Context
	running sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// New starts a server. Close stops it.
func New(options Options) (*Server, error) {
	kind := certs.ECDSA
	if options.RSA {
		kind = certs.RSA
	}
	ca, err := certs.NewCA("Pretend SMSPortal root", kind)
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	leaf, err := ca.Issue(certs.Leaf{Names: api.Hosts})
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	listener, err := net.Listen("tcp", cmp.Or(options.Listen, "127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	s := &Server{options: options, ca: ca, listener: listener, conns: map[net.Conn]struct{}{}}
	s.api = api.API{Username: options.Username, Password: options.Password}
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

// Addr returns the host:port that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// CAPEM returns the root's certificate, in the form of a ca_file.
func (s *Server) CAPEM() []byte { return s.ca.PEM() }

// Roots returns a pool with only the server's root.
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

// acceptPause is how long accept waits after a failure.
const acceptPause = 20 * time.Millisecond

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of descriptors, or aborted by the peer: the next one may work
			case <-s.stopped.Done():
				return
			case <-time.After(acceptPause):
				continue
			}
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
		if s.stopped.Err() != nil { // accepted while Close was going through the list
			_ = raw.Close()
		}
	}
}
