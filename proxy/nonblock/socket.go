package nonblock

import (
	"net"
	"syscall"
)

// Socket returns the socket beneath c, which may then be read in place of c. It
// returns nil if there is none, or if a layer above it holds bytes. A layer is
// transparent if it has NetConn and its Buffered is 0. TLS has no Buffered.
func Socket(c net.Conn) syscall.RawConn {
	for {
		if socket, ok := c.(syscall.Conn); ok {
			raw, err := socket.SyscallConn()
			if err != nil {
				return nil
			}
			return raw
		}
		layer, ok := c.(interface {
			NetConn() net.Conn
			Buffered() int
		})
		if !ok || layer.Buffered() > 0 {
			return nil
		}
		c = layer.NetConn()
	}
}
