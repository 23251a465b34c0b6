package proxy

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"tlslift/proxy/front"
	"tlslift/proxy/http1"
)

// lastWords is how long before the deadline requests still in flight are answered.
// Each gets a complete error answer: a 504 with unknown delivery if a byte may have
// been sent.
const lastWords = time.Second

// Retire stops accepting and waits until every connection has ended. A connection
// ends after its next answer, a relay when its two sides do. Retire returns how many
// are left when ctx ends. Call Shutdown after it.
func (s *Server) Retire(ctx context.Context) (left int) {
	s.endAccepting()
	return s.shared.Wait(ctx)
}

// Shutdown stops accepting, lets requests in flight finish, closes idle connections,
// and cuts the rest shortly before ctx ends. It returns how many requests and tunnels
// were cut.
func (s *Server) Shutdown(ctx context.Context) int {
	finishing, cancel := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		finishing, cancel = context.WithDeadline(ctx, deadline.Add(-min(lastWords, left/4)))
	}
	defer cancel()

	s.endAccepting()
	s.shared.Drain()
	cut := 0
	if left := s.shared.Wait(finishing); left > 0 {
		cut = int(s.active.Load())
		s.cutWork() // requests in flight get 504 unknown
		s.shared.Abort()
		last, done := context.WithTimeout(context.WithoutCancel(ctx), lastWordsFor(ctx))
		s.shared.Wait(last)
		done()
		s.shared.CloseAll()
	}
	s.cutWork()
	s.serving.Wait()
	s.transport.Close()
	return cut
}

// lastWordsFor returns how long the last answers may take: what is left until the
// deadline, at most lastWords. It allows 250 ms even if a second signal has cancelled
// ctx.
func lastWordsFor(ctx context.Context) time.Duration {
	const least = 250 * time.Millisecond
	deadline, ok := ctx.Deadline()
	if !ok || ctx.Err() != nil {
		return least
	}
	return max(least, min(lastWords, time.Until(deadline)))
}

// handshaking carries a connection that awaits a ClientHello or is in its handshake:
// it has sent no request yet.
type handshaking struct {
	c    net.Conn
	over atomic.Bool
}

// Retire implements front.Carrier. The connection's next carrier retires it.
func (*handshaking) Retire() {}

// Drain implements front.Carrier.
func (h *handshaking) Drain() {
	time.AfterFunc(settleTime, func() {
		if !h.over.Load() {
			front.Reset(h.c)
		}
	})
}

// Abort implements front.Carrier.
func (h *handshaking) Abort() { front.Reset(h.c) }

// serving carries a connection that speaks HTTP.
type serving struct{ *http1.Conn }

// Drain implements front.Carrier.
func (s serving) Drain() { s.Conn.Drain(front.Grace) }
