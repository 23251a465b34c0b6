package e2e

import (
	"context"
	"net"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestCallerOnThePortOfAnOutboundSocket: the kernel gives one local port to
// several connections as long as they lead to different places. A caller whose
// port is also that of one of our outbound sockets is no loop: only both ends
// together tell one.
func TestCallerOnThePortOfAnOutboundSocket(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "upstream: {warm_connections: 0}")
	p.Ask(plainGet)
	port := int(server.Requests()[0].Peer.Port()) // still open: an idle upstream connection
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_LOCAL_PORT_RANGE, port<<16|port)
		})
		if failed != nil {
			return failed
		}
		return err
	}}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", p.Addr())
	if err != nil {
		t.Skipf("this kernel does not let a socket choose its port range: %v", err)
	}
	if got := conn.LocalAddr().(*net.TCPAddr).Port; got != port {
		t.Skipf("the caller is on port %d, not on %d", got, port)
	}
	if answer := harness.NewCaller(t, conn).Send(plainGet).Answer("GET"); answer.Problem() != "" {
		t.Errorf("a caller on port %d, as one of our outbound sockets: %d %q", port, answer.StatusCode, answer.Problem())
	}
}
