package proxy

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
	"tlslift/proxy/problem"
)

// idSource makes request ids: a random prefix of the process and a count.
type idSource struct {
	prefix string
	count  *atomic.Uint64
}

func newIDSource() idSource {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return idSource{prefix: hex.EncodeToString(b[:]), count: new(atomic.Uint64)}
}

func (s idSource) next() string {
	var b [32]byte
	out := append(b[:0], s.prefix...)
	out = append(out, '-')
	out = strconv.AppendUint(out, s.count.Add(1), 36)
	return string(out)
}

// levelOf is the level of a canonical line: doubt is an error, a loss a
// warning, everything else information.
func levelOf(rec *record) zapcore.Level {
	switch problem.LevelOf(rec.reason, rec.delivery) {
	case problem.LevelError:
		return zapcore.ErrorLevel
	case problem.LevelWarn:
		return zapcore.WarnLevel
	default:
		return zapcore.InfoLevel
	}
}

func (s *Server) writeLine(rec *record) {
	if ce := s.log.Check(levelOf(rec), "request"); ce != nil {
		ce.Write(zap.Inline(rec))
	}
}

func (s *Server) writeTunnelLine(rec *record, handling call.Handling, handshake string) {
	ce := s.log.Check(levelOf(rec), "tunnel")
	if ce == nil {
		return
	}
	fields := []zap.Field{zap.Inline(rec), zap.String("handling", handling.String())}
	if handshake != "" {
		fields = append(fields, zap.String("handshake", handshake))
	}
	ce.Write(fields...)
}

// crashed logs a panic that was kept in its connection. Neither the value nor
// the arguments of the stack are printed: they may hold what a caller sent.
func (s *Server) crashed(rec *record, value any) {
	rec.abort = true
	rec.reason, rec.delivery = problem.Protocol, problem.Unknown
	if err, ok := value.(error); value == nil || ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	s.log.Error("panic while serving a request",
		zap.String("request_id", rec.id), zap.String("stack", functionNames(debug.Stack())))
}

// caught keeps a panic of a tunnel in its connection.
func (s *Server) caught(sess *session) {
	if v := recover(); v != nil {
		s.log.Error("panic in a tunnel", zap.String("client_addr", sess.clientAddr),
			zap.String("stack", functionNames(debug.Stack())))
		sess.close()
	}
}

// functionNames keeps of a stack only the functions and lines.
func functionNames(stack []byte) string {
	var out []string
	for line := range bytes.Lines(stack) {
		l := strings.TrimSpace(string(line))
		if i := strings.LastIndexByte(l, '('); i > 0 && !strings.Contains(l, ".go:") {
			l = l[:i]
		}
		out = append(out, l)
	}
	return strings.Join(out, " | ")
}

// goproxyLog keeps goproxy's warnings out of the log but for the fact: its
// texts carry URLs.
type goproxyLog struct{ log *zap.Logger }

// Printf implements goproxy.Logger.
func (g goproxyLog) Printf(string, ...any) {
	g.log.Debug("goproxy had something to say")
}

// serverLog is net/http's ErrorLog. What it says can quote a caller, so only
// its beginning, which is net/http's own words, is kept.
func serverLog(l *zap.Logger) *log.Logger {
	return log.New(writerFunc(func(p []byte) (int, error) {
		text, _, _ := bytes.Cut(p, []byte(":"))
		l.Debug("http server", zap.ByteString("detail", bytes.TrimSpace(text)))
		return len(p), nil
	}), "", 0)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// logHost is what a log line says of a host, with or without a port; "" for
// what cannot be one.
func logHost(text string) string {
	n, port, err := host.ParseAuthority(text)
	if err != nil || n.IsZero() {
		return ""
	}
	return n.Join(port)
}
