package proxy

import (
	"runtime/debug"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/contain"
	"tlslift/proxy/problem"
)

// finish hands one outcome to its three sinks: metrics, ledger and log. Nothing
// else counts calls or connections.
func (s *Server) finish(o *call.Outcome) {
	if o.Label == call.LabelOther && o.Reason.Denied() && o.Reason != problem.ClientGone && o.Delivery == problem.NotSent {
		o.Label = call.LabelDenied // a foreign host that was allowed, but refused in the end
	}
	s.Count(o)
	name := "request"
	switch {
	case o.Kind == call.Tunnel:
		name = "tunnel"
	case o.Kind == call.Observed, o.Status == 0 && o.Kind == call.Dropped:
		return
	}
	o.ConnID = s.ids.text(o.Conn.Number)
	s.writeLine(zapcore.Level(problem.LevelOf(o.Reason, o.Delivery)), name, o)
}

// Count passes an outcome to the metrics and the ledger. It comes from this process,
// or from the one that this process replaced, which has logged it. In a process that
// is being replaced, it goes to HandOver's function instead.
func (s *Server) Count(o *call.Outcome) {
	s.counting.RLock()
	defer s.counting.RUnlock()
	if s.heir != nil {
		s.heir(o)
		return
	}
	s.metrics.Record(o)
	if o.Kind != call.Dropped {
		s.ledger.Record(o)
	}
}

// HandOver makes Count pass outcomes to to from now on; nil undoes that. When
// HandOver returns, everything counted here before is in the ledger. to must not keep
// its argument.
func (s *Server) HandOver(to func(*call.Outcome)) {
	s.counting.Lock()
	defer s.counting.Unlock()
	s.heir = to
}

// dropped records a connection that the front closed without an answer.
func (s *Server) dropped(c *call.Conn, reason problem.Reason) {
	s.finish(&call.Outcome{Kind: call.Dropped, Conn: c, Reason: reason})
}

// stack is the panic value of a panic that is raised again in another goroutine. It
// holds the original stack trace.
type stack []byte

// logPanic logs a panic that was contained in its connection. It logs neither the
// value nor the arguments on the stack: they may hold what a caller sent.
func (s *Server) logPanic(value any, what, where string) {
	at, ok := value.(stack)
	if !ok {
		at = debug.Stack()
	}
	s.log.Error(what, zap.String("where", where), zap.String("stack", contain.Functions(at)))
}
