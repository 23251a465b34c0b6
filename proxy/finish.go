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
		o.Label = call.LabelDenied // a foreign host that could have been called, and was refused after all
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
	s.writeLine(levelOf(o), name, o)
}

// Count hands an outcome to the metrics and the ledger: one of this process, or
// of the one whose place it took, which has logged it. In a process that is
// being replaced it goes to HandOver's function instead.
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

// HandOver has outcomes counted by to from now on, not here; nil undoes that.
// What was counted here before is in the ledger when it returns. to must not
// keep what it is given.
func (s *Server) HandOver(to func(*call.Outcome)) {
	s.counting.Lock()
	defer s.counting.Unlock()
	s.heir = to
}

// dropped ends a connection that the front closed without an answer.
func (s *Server) dropped(c *call.Conn, reason problem.Reason) {
	s.finish(&call.Outcome{Kind: call.Dropped, Conn: c, Reason: reason})
}

// levelOf is the level of an outcome's line: error where a request may have
// been sent, warn where the upstream lost one for certain, else info.
func levelOf(o *call.Outcome) zapcore.Level {
	switch problem.LevelOf(o.Reason, o.Delivery) {
	case problem.LevelError:
		return zapcore.ErrorLevel
	case problem.LevelWarn:
		return zapcore.WarnLevel
	default:
		return zapcore.InfoLevel
	}
}

// stack is the value of a panic that goes on in another goroutine: where it
// began.
type stack []byte

// logPanic logs a panic that was kept in its connection. Neither the value nor
// the arguments of the stack are printed: they may hold what a caller sent.
func (s *Server) logPanic(value any, what, where string) {
	at, ok := value.(stack)
	if !ok {
		at = debug.Stack()
	}
	s.log.Error(what, zap.String("where", where), zap.String("stack", contain.Functions(at)))
}

func errField(err error) zap.Field { return zap.Error(err) }
