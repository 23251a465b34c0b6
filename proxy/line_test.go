package proxy

import (
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

func BenchmarkLine(b *testing.B) {
	now := time.Now()
	o := &call.Outcome{
		Conn: &call.Conn{ClientText: "127.0.0.1:40000"}, Client: call.Identity{Name: "127.0.0.1"}, ID: "abcdef01-zz",
		Start: now, End: now.Add(1234 * time.Microsecond), Upstream: 1100 * time.Microsecond, Ingress: call.Forward, Method: "GET",
		Host: "www.mymobileapi.com", Path: "/api5/http5.aspx", APIType: "credits", Decision: "upgrade", Status: 200,
		Delivery: problem.Answered, UpstreamVersion: 0x0304, UpstreamReused: true, ResponseBytes: 227,
	}
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(discard{}), zap.InfoLevel))
	b.ReportAllocs()
	for b.Loop() {
		if ce := log.Check(zap.InfoLevel, "request"); ce != nil {
			ce.Write(zap.Inline((*line)(o)))
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
