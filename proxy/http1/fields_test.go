package http1

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// TestFieldsAreBounded: a field costs many times its bytes.
func TestFieldsAreBounded(t *testing.T) {
	t.Parallel()
	for n, status := range map[int]int{maxFields - 1: 200, maxFields: 431} {
		bubble(t, nil, hello, func(t *testing.T, _ *Conn, nc net.Conn) {
			go func() { _, _ = nc.Write([]byte(get[:len(get)-2] + strings.Repeat("A: b\r\n", n) + "\r\n")) }()
			if resp, body := answer(t, bufio.NewReader(nc)); resp.StatusCode != status {
				t.Errorf("%d fields and Host: %d %q", n, resp.StatusCode, body)
			}
		})
	}
}
