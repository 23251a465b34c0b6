package proxy

import (
	"bytes"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// fixedClock gives zap the time at which an outcome ended.
type fixedClock struct{ t time.Time }

func (c fixedClock) Now() time.Time                         { return c.t }
func (c fixedClock) NewTicker(d time.Duration) *time.Ticker { return time.NewTicker(d) }

// FuzzLine: the encoder of lines writes what zap's does.
func FuzzLine(f *testing.F) {
	f.Add("10.1.2.3", "/api5/http5.aspx", "", int64(1234567), int64(99), uint8(0), uint8(0), false)
	f.Add("na\"me\\", "/a\xff\u2028<&>\x00\b\f\n\r\t\x7f", "é\ufffd", int64(-1), int64(1<<40), uint8(19), uint8(1), true)
	f.Fuzz(func(t *testing.T, client, path, detail string, took, sent int64, reason, kind uint8, gone bool) {
		start := time.Unix(1700000000, 123456789).UTC()
		o := &call.Outcome{
			Kind: call.Kind(kind % 2), Conn: &call.Conn{ClientText: client}, ConnID: "id-0", Client: call.Identity{Name: client}, ID: "id-1", Caller: detail,
			Start: start, End: start.Add(time.Duration(took)), Upstream: time.Duration(sent), Ingress: call.Forward, Method: "GET",
			Host: path, Path: path, APIType: detail, Version: call.Version10, Cipher: 0x2f, JA4: detail, Handling: call.Spliced,
			Decision: "upgrade", Status: int(reason) * 10, Reason: problem.Reason(reason), Delivery: problem.Delivery(kind % 3), Detail: detail,
			ClientGone: gone, RequestBytes: sent, ResponseBytes: took, UpstreamVersion: 0x0304, UpstreamReused: gone,
			Failure: call.HandshakeFailure(reason),
		}
		var want bytes.Buffer
		encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{
			TimeKey: "ts", LevelKey: "level", MessageKey: "msg", LineEnding: zapcore.DefaultLineEnding,
			EncodeLevel: zapcore.LowercaseLevelEncoder, EncodeTime: zapcore.TimeEncoderOfLayout(TimeLayout), EncodeDuration: zapcore.SecondsDurationEncoder,
		})
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(&want), zap.DebugLevel), zap.WithClock(fixedClock{o.End}))
		log.Warn("request", zap.Inline((*line)(o)))
		var e lineEncoder
		for range 2 { // a second line is not mixed up with the first
			if got := e.encode(zap.WarnLevel, "request", o); !bytes.Equal(got, want.Bytes()) {
				t.Fatalf("got  %s\nwant %s", got, want.Bytes())
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	now := time.Now()
	o := &call.Outcome{
		Conn: &call.Conn{ClientText: "127.0.0.1:40000"}, Client: call.Identity{Name: "127.0.0.1"}, ID: "abcdef01-zz",
		Start: now, End: now.Add(1234 * time.Microsecond), Upstream: 1100 * time.Microsecond, Ingress: call.Forward, Method: "GET",
		Host: "www.mymobileapi.com", Path: "/api5/http5.aspx", APIType: "credits", Decision: "upgrade", Status: 200,
		Delivery: problem.Answered, UpstreamVersion: 0x0304, UpstreamReused: true, ResponseBytes: 227,
	}
	b.Run("zap", func(b *testing.B) {
		encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
		log := zap.New(zapcore.NewCore(encoder, zapcore.AddSync(discard{}), zap.InfoLevel))
		b.ReportAllocs()
		for b.Loop() {
			if ce := log.Check(zap.InfoLevel, "request"); ce != nil {
				ce.Write(zap.Inline((*line)(o)))
			}
		}
	})
	b.Run("own", func(b *testing.B) {
		e := new(lineEncoder)
		b.ReportAllocs()
		for b.Loop() {
			_ = e.encode(zap.InfoLevel, "request", o)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
