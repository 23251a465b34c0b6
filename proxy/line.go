package proxy

import (
	"crypto/tls"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tlslift/proxy/call"
)

// writeLine writes an outcome's log line if its level is enabled. The time of the line
// is when the outcome ended.
func (s *Server) writeLine(level zapcore.Level, msg string, o *call.Outcome) {
	if ce := s.log.Check(level, msg); ce != nil {
		ce.Time = o.End
		ce.Write(zap.Inline((*line)(o)))
	}
}

// line is an outcome as the log shows it (design, section 8). Every key is always
// present, except detail, caller_request_id, delivery (requests only), and the keys
// that only tunnels have.
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
	origin, upstreamVersion := "tlslift", ""
	if o.FromUpstream {
		origin = "upstream"
	}
	if o.UpstreamVersion != 0 {
		upstreamVersion = call.VersionOf(o.UpstreamVersion).String()
	}
	enc.AddString("origin", origin)
	if o.Kind == call.Tunnel {
		enc.AddString("end", o.Ending.String())
	} else {
		enc.AddString("delivery", o.Delivery.String())
	}
	enc.AddBool("client_gone", o.ClientGone)
	enc.AddInt64("request_bytes", o.RequestBytes)
	enc.AddInt64("response_bytes", o.ResponseBytes)
	enc.AddFloat64("duration_ms", milliseconds(o.Duration()))
	enc.AddFloat64("upstream_ms", milliseconds(o.Upstream))
	enc.AddString("upstream_tls_version", upstreamVersion)
	enc.AddBool("upstream_reused", o.UpstreamReused)
	enc.AddString("decision", o.Decision)
	enc.AddString("error", o.Reason.String())
	enc.AddString("request_id", o.ID)
	enc.AddString("conn_id", o.ConnID)
	if o.Caller != "" {
		enc.AddString("caller_request_id", o.Caller)
	}
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

// milliseconds rounds down to a whole microsecond.
func milliseconds(d time.Duration) float64 { return float64(d/time.Microsecond) / 1000 }

func cipherName(id uint16) string {
	if id == 0 {
		return ""
	}
	return tls.CipherSuiteName(id)
}
