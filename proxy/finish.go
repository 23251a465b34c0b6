package proxy

import (
	"bytes"
	"crypto/tls"
	"runtime/debug"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// finish hands one outcome to its three sinks: metrics, ledger and log. Nothing
// else counts calls or connections.
func (s *Server) finish(o *call.Outcome) {
	s.metrics.Record(o)
	if o.Kind == call.Dropped {
		return
	}
	s.ledger.Record(o)
	name := "request"
	switch o.Kind {
	case call.Sighting:
		return
	case call.Tunnel:
		name = "tunnel"
	}
	if ce := s.log.Check(levelOf(o), name); ce != nil {
		ce.Write(zap.Inline((*line)(o)))
	}
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

// line is an outcome as the log has it (design, section 8). Each key is always
// there, but for detail and those of tunnels alone.
type line call.Outcome

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (l *line) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	o := (*call.Outcome)(l)
	enc.AddString("client", o.Client.Name)
	enc.AddString("client_addr", o.Conn.ClientText)
	enc.AddString("ingress", o.Ingress.String())
	enc.AddString("tls_version", o.Version.String())
	enc.AddString("tls_cipher", cipherName(o.Cipher))
	enc.AddString("ja4", o.JA4)
	enc.AddString("method", o.Method)
	enc.AddString("host", o.Host)
	enc.AddString("path", o.Path)
	enc.AddString("api_type", o.APIType)
	enc.AddInt("status", o.Status)
	enc.AddString("origin", originOf(o))
	enc.AddString("delivery", o.Delivery.String())
	enc.AddBool("client_gone", o.ClientGone)
	enc.AddInt64("request_bytes", o.RequestBytes)
	enc.AddInt64("response_bytes", o.ResponseBytes)
	enc.AddFloat64("duration_ms", milliseconds(o.Duration()))
	enc.AddFloat64("upstream_ms", milliseconds(o.Upstream))
	enc.AddString("upstream_tls_version", versionName(o.UpstreamVersion))
	enc.AddBool("upstream_reused", o.UpstreamReused)
	enc.AddString("decision", o.Decision)
	enc.AddString("error", o.Reason.String())
	enc.AddString("request_id", o.ID)
	if o.Detail != "" {
		enc.AddString("detail", o.Detail)
	}
	if o.Kind == call.Tunnel {
		enc.AddString("handling", o.Handling.String())
		if o.Failure != call.HandshakeOK {
			enc.AddString("handshake", o.Failure.String())
		}
	}
	return nil
}

func originOf(o *call.Outcome) string {
	if o.FromUpstream {
		return "upstream"
	}
	return "tlslift"
}

// milliseconds rounds to microseconds.
func milliseconds(d time.Duration) float64 { return float64(d/time.Microsecond) / 1000 }

func cipherName(id uint16) string {
	if id == 0 {
		return ""
	}
	return tls.CipherSuiteName(id)
}

func versionName(v uint16) string {
	if v == 0 {
		return ""
	}
	return call.VersionOf(v).String()
}

// logPanic logs a panic that was kept in its connection. Neither the value nor
// the arguments of the stack are printed: they may hold what a caller sent.
func (s *Server) logPanic(what, where string) {
	s.log.Error(what, zap.String("where", where), zap.String("stack", functionNames(debug.Stack())))
}

// functionNames keeps of a stack only the functions and lines.
func functionNames(stack []byte) string {
	var out []string
	for l := range bytes.Lines(stack) {
		text := strings.TrimSpace(string(l))
		if i := strings.LastIndexByte(text, '('); i > 0 && !strings.Contains(text, ".go:") {
			text = text[:i]
		}
		out = append(out, text)
	}
	return strings.Join(out, " | ")
}

func errField(err error) zap.Field { return zap.Error(err) }
