package proxy

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/call"
	"tlslift/proxy/front"
	"tlslift/proxy/hello"
	"tlslift/proxy/problem"
)

// outcomes keeps what finish hands over, as metrics and as ledger.
type outcomes struct {
	Metrics
	mu  sync.Mutex
	all []call.Outcome
}

func (o *outcomes) Record(out *call.Outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = append(o.all, *out)
}

func (*outcomes) OpenConnection(call.Handling, int) {}

type handlerFunc func(*front.Conn)

func (f handlerFunc) ServeConn(c *front.Conn, _ front.Kind, _ *front.Refusal) { f(c) }

// A panic in a tunnel stays in its connection, and the tunnel has its outcome.
func TestPanicInATunnel(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]func(*tunnel){
		"of the owner": func(*tunnel) { panic("secret") },
		"of a relay": func(t *tunnel) {
			near, far := net.Pipe()
			t.far = near
			go func() { _, _ = io.Copy(io.Discard, far) }()
			t.c.relay = newPair(t.c.front, t.far, []byte("hello"), time.Minute)
			t.c.relay.onTurn = func(*hello.Turns, bool) { panic("secret") }
			t.carry()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seen := new(outcomes)
			s := &Server{log: zap.NewNop(), metrics: seen, ledger: &outcomes{}, now: time.Now, shared: front.NewShared(front.Limits{}, func(call.Handling, int) {})}
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			served := make(chan error, 1)
			go func() {
				served <- front.Serve(ctx, ln, front.Options{
					Shared: s.shared, Rules: func() front.Rules { return front.Rules{Listener: new(call.Listener)} }, Logger: s.log, OwnSocket: func(_, _ netip.AddrPort) bool { return false },
					Handler: handlerFunc(func(fc *front.Conn) {
						c := &conn{s: s, front: fc, facts: fc.Facts()}
						defer c.leave()
						c.tunnel = &tunnel{c: c, out: call.Outcome{Kind: call.Tunnel}}
						cause(c.tunnel)
					}),
				})
			}()
			client, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			_, _ = client.Write([]byte("GET / HTTP/1.1\r\n"))
			if _, err := io.ReadAll(client); err == nil {
				t.Error("the connection ended as if all were well")
			}
			stop()
			if err := <-served; err != nil {
				t.Error(err)
			}
			if len(seen.all) != 1 || seen.all[0].Reason != problem.Protocol || seen.all[0].Delivery != problem.Unknown {
				t.Errorf("outcomes %+v, want one of protocol and unknown", seen.all)
			}
			if n := s.active.Load(); n != 0 {
				t.Errorf("%d calls under way", n)
			}
		})
	}
}
