package front

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/host"
)

// TestFacts serves one TCP connection: everything that a socket knows of it is
// among its facts.
func TestFacts(t *testing.T) {
	t.Parallel()
	redirected := func(net.Conn) netip.AddrPort { return netip.MustParseAddrPort("[::ffff:198.51.100.9]:443") }
	tests := []struct {
		name        string
		listener    call.Listener
		originalDst func(net.Conn) netip.AddrPort
		dst         string
	}{
		{"plain", call.Listener{Address: "x"}, redirected, "invalid AddrPort"},
		{"redirected", call.Listener{Address: "x", Accept: call.Ways(call.Transparent)}, redirected, "198.51.100.9:443"},
		{"not redirected", call.Listener{Accept: call.Ways(call.Transparent)}, func(net.Conn) netip.AddrPort { return netip.AddrPort{} }, "invalid AddrPort"},
		{"unknown", call.Listener{Accept: call.Ways(call.Transparent)}, nil, "invalid AddrPort"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			g, start := newGauge(), time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var far net.Conn
			dialled := make(chan struct{})
			opt := Options{
				Shared: NewShared(Limits{}, g.add), Rules: fixed(Rules{Listener: &tt.listener}), OriginalDst: tt.originalDst, Logger: zap.NewNop(),
				Handler: &harness{handle: func(c *Conn, kind Kind, refusal *Refusal) {
					defer c.Close()
					<-dialled
					f := c.Facts()
					if kind != KindTLS || refusal != nil || c.RejectTimeout() > 0 {
						t.Errorf("%v, %v, hurried %v", kind, refusal, c.RejectTimeout() > 0)
					}
					if f.Listener != &tt.listener || f.Peer.String() != far.LocalAddr().String() || f.Client != f.Peer || f.ClientText != f.Peer.String() ||
						f.Local.String() != ln.Addr().String() || f.OriginalDst.String() != tt.dst || f.Accepted.Before(start) || f.Denied {
						t.Errorf("facts: %+v", f)
					}
					if c.RemoteAddr().String() != far.LocalAddr().String() || c.LocalAddr().String() != ln.Addr().String() || c.NetConn() != c.Conn {
						t.Errorf("addresses: %v, %v", c.RemoteAddr(), c.LocalAddr())
					}
					cancel() // one connection is all
				}},
			}
			served := make(chan error)
			go func() { served <- Serve(ctx, ln, opt) }()
			if far, err = net.Dial("tcp", ln.Addr().String()); err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			close(dialled)
			if _, err := io.WriteString(far, clientHello); err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(far); len(got) > 0 || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
			far.Close()
			if err := <-served; err != nil {
				t.Error(err)
			}
			empty(t, opt.Shared, g)
		})
	}
}

// A connection that nothing redirected has no original destination, but for
// the address it was made to where connections are tracked.
func TestOriginalDestination(t *testing.T) {
	t.Parallel()
	near, _ := sockets(t)
	if dst := OriginalDestination(near); dst.IsValid() && dst != host.OfSocket(near.LocalAddr()) {
		t.Errorf("a socket: %v", dst)
	}
	pipe, other := net.Pipe()
	defer pipe.Close()
	defer other.Close()
	if dst := OriginalDestination(pipe); dst.IsValid() || host.OfSocket(pipe.LocalAddr()).IsValid() {
		t.Errorf("a pipe: %v, %v", dst, host.OfSocket(pipe.LocalAddr()))
	}
	near.Close()
	if dst := OriginalDestination(near); dst.IsValid() {
		t.Errorf("a closed socket: %v", dst)
	}
}
