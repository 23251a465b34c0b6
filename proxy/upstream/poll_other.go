//go:build !unix

package upstream

import "net"

// poller cannot read without waiting on this platform: idle connections are
// read in the background instead.
type poller struct{}

func (*poller) init(net.Conn) {}

// able reports whether read works here.
func (*poller) able() bool { return false }

func (*poller) read([]byte) (int, error) { return 0, errWouldBlock }
