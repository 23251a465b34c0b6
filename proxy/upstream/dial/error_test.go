package dial

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"tlslift/proxy/host"
	"tlslift/proxy/problem"
	"tlslift/proxy/upstream/names"
)

// A server of plain HTTP answers a ClientHello with a head, or as HTTP/0.9 with a
// page alone.
func TestHandshakeErrorKnowsPlainHTTP(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"HTTP/1.1 400 Bad Request\r\n\r\n": true,
		"<html>400 Bad Request</html>":     true,
		"SSH-2.0-x\r\n":                    false,
		"":                                 false,
	} {
		near, far := net.Pipe()
		go func() {
			_, _ = far.Read(make([]byte, 4096))
			_, _ = io.WriteString(far, answer)
			_ = far.Close()
		}()
		_ = near.SetDeadline(time.Now().Add(time.Minute))
		err := handshakeError(tls.Client(near, &tls.Config{ServerName: "a.test"}).Handshake(), "address")
		if err == nil || errors.Is(err, ErrPlainHTTP) != want {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// A process without file descriptors is at a limit of its own: the network is not to
// blame.
func TestNoDescriptorIsALimit(t *testing.T) {
	t.Parallel()
	for errno, want := range map[syscall.Errno]problem.Reason{
		syscall.EMFILE:       problem.Limit,
		syscall.ENFILE:       problem.Limit,
		syscall.ECONNREFUSED: problem.Connect,
	} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)}
		if got := reason(asError(context.Background(), err, problem.Connect)); got != want {
			t.Errorf("%v: %v, want %v", errno, got, want)
		}
	}
	d := dialer(t, new(network))
	d.Names = names.New(t.Context(), names.Options{
		HostsFile: "/dev/null", ResolvConf: "/dev/null", Logger: zap.NewNop(), Now: time.Now, Known: new(names.Known),
		System: func(context.Context, string) ([]netip.Addr, error) {
			return nil, &net.OpError{Op: "dial", Net: "udp", Err: os.NewSyscallError("socket", syscall.EMFILE)}
		},
	})
	if _, err := d.Tunnel(t.Context(), Target{Host: host.MustParse("a.test"), Port: 443}, ""); reason(err) != problem.Limit {
		t.Errorf("a lookup: %v", err)
	}
}
