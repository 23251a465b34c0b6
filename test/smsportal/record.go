package smsportal

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"

	api "tlslift/deploy/demo/smsportal"
	"tlslift/test/wire"
)

// Request is one request as it came over the wire. It does not change
// after it is recorded.
type Request struct {
	Conn int            // 1 for the server's first connection
	Peer netip.AddrPort // the connection's other end

	wire.Head        // parsed; zero if that failed
	Raw       []byte // the head's bytes on the wire, request line to empty line
	Body      []byte // decoded
	RawBody   []byte // the body's bytes on the wire, including chunk framing
	Complete  bool   // the whole request arrived; false = the connection ended within it

	TLSVersion uint16
	ServerName string // SNI
	Resumed    bool   // the TLS session was resumed

	Messages []Message // what it asked to send, if it was understood and accepted
}

// Message identifies one SMS.
type Message = api.Message

// call returns the request as the API takes it.
func (r *Request) call() *api.Request {
	return &api.Request{Method: r.Method, Target: r.Target, Host: r.Host(), Header: r.Header, Body: r.Body}
}

// recorder holds what the server has seen. It is safe for concurrent use.
type recorder struct {
	mu          sync.Mutex
	changed     *sync.Cond
	keep        int
	requests    []*Request
	total       int
	connections int
	sends       map[Message]int
}

// maxSends bounds the number of counted messages if only the newest requests are
// kept, as in a demo that runs for days. A test keeps everything.
const maxSends = 1 << 16

func (r *recorder) init(keep int) {
	r.changed = sync.NewCond(&r.mu)
	r.keep = keep
	r.sends = map[Message]int{}
}

func (r *recorder) connected() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connections++
	r.changed.Broadcast()
	return r.connections
}

func (r *recorder) received(request *Request) {
	if request.Complete && request.Method != "" {
		request.Messages = api.Messages(request.call())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total++
	if r.keep > 0 && len(r.requests) >= r.keep {
		r.requests = r.requests[1:]
	}
	r.requests = append(r.requests, request)
	if r.keep > 0 && len(r.sends) > maxSends {
		clear(r.sends)
	}
	for _, m := range request.Messages {
		r.sends[m]++
	}
	r.changed.Broadcast()
}

// Requests returns the requests received so far, oldest first, or only the newest
// with Options.Keep. They include interrupted requests, with Complete false.
func (s *Server) Requests() []*Request {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return slices.Clone(s.record.requests)
}

// Count returns the number of requests received so far, including interrupted ones.
func (s *Server) Count() int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return s.record.total
}

// Connections returns the number of TLS connections made so far.
func (s *Server) Connections() int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return s.record.connections
}

// Sends returns how often each message was sent.
func (s *Server) Sends() map[Message]int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return maps.Clone(s.record.sends)
}

// Doubles returns the messages that were sent more than once.
func (s *Server) Doubles() map[Message]int {
	doubles := s.Sends()
	maps.DeleteFunc(doubles, func(_ Message, n int) bool { return n < 2 })
	return doubles
}

// Reset forgets all requests and messages, but not the connections.
func (s *Server) Reset() {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	s.record.requests, s.record.total = nil, 0
	clear(s.record.sends)
}

// WaitRequests waits until a total of n requests has been received. If ctx ends
// first, it returns the context's error.
func (s *Server) WaitRequests(ctx context.Context, n int) error {
	return s.record.wait(ctx, func() bool { return s.record.total >= n })
}

// WaitConnections waits until a total of n TLS connections has been made.
func (s *Server) WaitConnections(ctx context.Context, n int) error {
	return s.record.wait(ctx, func() bool { return s.record.connections >= n })
}

func (r *recorder) wait(ctx context.Context, done func() bool) error {
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock() // so that the broadcast cannot come between the check and Wait
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for !done() {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.changed.Wait()
	}
	return nil
}
