// Package fault holds upstreams that misbehave on purpose: a TLS server that
// closes, resets, stalls or lies at a chosen moment of a chosen request and
// counts what it received, and a relay that adds distance.
package fault

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"tlslift/test/certs"
	"tlslift/test/wire"
)

// Script says what to do with each request once its head was read.
type Script func(*Exchange) Action

// Options say how the server misbehaves.
type Options struct {
	CA        *certs.CA         // issues the certificate; nil = a new one of this server's own
	Leaf      certs.Leaf        // what it issues; Names nil = those of the real API, plus "fault.test"
	Configure func(*tls.Config) // last word on the server's TLS; may be nil
	Script    Script            // nil = Answer to everything
	Greet     func(conn int) Greeting
	Heard     func(head []byte) // told of each request's head, whole or not; nil = all are kept, see Requests
}

// Greeting is what happens to a connection before its first request.
type Greeting uint8

// The greetings.
const (
	Handshake        Greeting = iota // go on as a TLS server should
	CloseAtOnce                      // FIN right after accepting
	ResetAtOnce                      // RST right after accepting
	StallHandshake                   // read, never answer
	GarbageHandshake                 // answer the ClientHello with something else
	CloseOnHello                     // read the ClientHello, then close
)

// Seen is one request that was wholly or partly received.
type Seen struct {
	Conn    int // 1 for the server's first connection
	Request int // 1 for the connection's first request
	wire.Head
	Raw      []byte // the head as it came
	Body     []byte // what was read of it; scripts that do not read leave it empty
	HeadDone bool
	BodyDone bool
}

// Server is a running upstream that misbehaves.
type Server struct {
	options  Options
	ca       *certs.CA
	config   *tls.Config
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	conns   map[net.Conn]struct{}
	made    int
	seen    []*Seen
}

// New starts a server on a free loopback port. Close ends it.
func New(options Options) (*Server, error) {
	s := &Server{options: options, ca: options.CA, conns: map[net.Conn]struct{}{}}
	s.changed = sync.NewCond(&s.mu)
	if s.ca == nil {
		var err error
		if s.ca, err = certs.NewCA("Fault root", certs.ECDSA); err != nil {
			return nil, fmt.Errorf("faulty upstream: %w", err)
		}
	}
	leaf := options.Leaf
	if leaf.Names == nil {
		leaf.Names = []string{"fault.test", "smsportal.com", "*.smsportal.com", "mymobileapi.com", "*.mymobileapi.com"}
	}
	certificate, err := s.ca.Issue(leaf)
	if err != nil {
		return nil, fmt.Errorf("faulty upstream: %w", err)
	}
	s.config = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if options.Configure != nil {
		options.Configure(s.config)
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("faulty upstream: %w", err)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.accept)
	return s, nil
}

// Addr is the host:port the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// CAPEM is the root's certificate, as a ca_file takes it.
func (s *Server) CAPEM() []byte { return s.ca.PEM() }

// CA is the authority that issued the server's certificate.
func (s *Server) CA() *certs.CA { return s.ca }

// Close ends the server and waits for its goroutines.
func (s *Server) Close() error {
	s.cancel()
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

// Requests are copies of those received so far, oldest first.
func (s *Server) Requests() []Seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Seen, len(s.seen))
	for i, r := range s.seen {
		all[i] = *r
	}
	return all
}

// Count is the number of requests, wholly or partly received, with the marker
// in their head.
func (s *Server) Count(marker string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count(marker)
}

func (s *Server) count(marker string) int {
	n := 0
	for _, r := range s.seen {
		if strings.Contains(string(r.Raw), marker) {
			n++
		}
	}
	return n
}

// Connections is the number of TCP connections accepted so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made
}

// Wait waits until n requests with the marker were received, or for the end of
// the context, whose error it returns.
func (s *Server) Wait(ctx context.Context, marker string, n int) error {
	return s.wait(ctx, func() bool { return s.count(marker) >= n })
}

// WaitOpen waits until exactly n connections are open.
func (s *Server) WaitOpen(ctx context.Context, n int) error {
	return s.wait(ctx, func() bool { return len(s.conns) == n })
}

func (s *Server) wait(ctx context.Context, done func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock() // so that the broadcast cannot fall between check and Wait
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		s.changed.Wait()
	}
	return nil
}

func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		s.mu.Lock()
		s.made++
		number := s.made
		s.conns[raw] = struct{}{}
		s.mu.Unlock()
		if s.ctx.Err() != nil {
			_ = raw.Close()
		}
		s.running.Go(func() {
			s.serve(raw.(*net.TCPConn), number)
			_ = raw.Close()
			s.mu.Lock()
			delete(s.conns, raw)
			s.changed.Broadcast()
			s.mu.Unlock()
		})
	}
}

func (s *Server) serve(raw *net.TCPConn, number int) {
	if s.options.Greet != nil && !s.greet(raw, s.options.Greet(number)) {
		return
	}
	peeker := &peekConn{TCPConn: raw, reader: bufio.NewReader(raw)}
	conn := tls.Server(peeker, s.config)
	shake, cancel := context.WithTimeout(s.ctx, 10*time.Second)
	defer cancel()
	if err := conn.HandshakeContext(shake); err != nil {
		return
	}
	reader := bufio.NewReader(conn)
	for n := 1; ; n++ {
		exchange := &Exchange{Conn: number, Request: n, server: s, raw: raw, peeker: peeker, tls: conn, reader: reader}
		if !exchange.read() {
			return
		}
		action := Answer("ok")
		if s.options.Script != nil {
			action = s.options.Script(exchange)
		}
		if !action.run(exchange) {
			return
		}
	}
}

// greet reports whether the handshake is to follow.
func (s *Server) greet(raw *net.TCPConn, greeting Greeting) bool {
	buffer := make([]byte, 16<<10)
	switch greeting {
	case Handshake:
		return true
	case ResetAtOnce:
		_ = raw.SetLinger(0)
	case StallHandshake:
		for {
			if _, err := raw.Read(buffer); err != nil {
				return false
			}
		}
	case GarbageHandshake:
		_, _ = raw.Read(buffer)
		_, _ = raw.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	case CloseOnHello:
		_, _ = raw.Read(buffer)
	}
	return false
}

// peekConn lets a script wait for the peer's next bytes without reading them.
type peekConn struct {
	*net.TCPConn
	reader *bufio.Reader
}

func (c *peekConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
