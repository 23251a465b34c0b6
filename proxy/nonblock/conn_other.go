//go:build !unix

package nonblock

import "net"

// Wrap returns c: on this system, only package net reads and writes sockets.
func Wrap(c net.Conn) net.Conn { return c }
