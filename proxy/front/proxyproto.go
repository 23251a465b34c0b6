package front

import (
	"bufio"
	"fmt"
	"net"
	"time"

	proxyproto "github.com/pires/go-proxyproto"
)

// readProxyHeader takes a PROXY protocol header, version 1 or 2, off the
// connection and sets Arrival.Client from it. LOCAL (a health check) and
// UNKNOWN leave the socket's address. After an error the bytes that are no
// header are still there to be read, as far as that can be.
func readProxyHeader(c *Conn, deadline time.Time) error {
	if _, err := c.Peek(1, deadline); err != nil {
		return fmt.Errorf("waiting for a PROXY protocol header: %w", err)
	}
	// The deadline that Peek set still holds.
	br := bufio.NewReaderSize(&stream{c}, bufferSize)
	header, err := proxyproto.Read(br)
	rest, _ := br.Peek(br.Buffered())
	c.unshift(rest)
	if err != nil {
		return fmt.Errorf("reading a PROXY protocol header: %w", err)
	}
	if header.Command.IsProxy() {
		if src, ok := header.SourceAddr.(*net.TCPAddr); ok {
			c.arrival.Client = addrPort(src)
		}
	}
	return nil
}

// unshift puts bytes back before those that have arrived since.
func (c *Conn) unshift(p []byte) {
	later := append([]byte(nil), c.seen()...)
	c.consume(len(later))
	c.keep(p)
	c.keep(later)
}
