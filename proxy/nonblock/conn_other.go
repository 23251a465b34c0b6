//go:build !unix

package nonblock

import "net"

// Wrap returns c: this system's sockets are package net's alone.
func Wrap(c net.Conn) net.Conn { return c }
