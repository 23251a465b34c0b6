//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// How many idle connections are held, and how long everything may settle.
const (
	idleConnections = 2000
	idleTunnels     = 1000
	settle          = 7 * time.Second
)

// measureMemory reads what is resident: fresh, per idle keep-alive connection
// of a plain caller, per idle spliced tunnel.
func measureMemory(_ context.Context, b *bench) (table, error) {
	t := table{
		title:  "Memory: resident, as the kernel counts it; sockets' own buffers are the kernel's",
		header: []string{"", "idle", fmt.Sprintf("per idle keep-alive caller (%d)", idleConnections), fmt.Sprintf("per idle spliced tunnel (%d)", idleTunnels)},
	}
	for _, starter := range []func() (*contestant, error){b.startTlslift, b.startHAProxy, b.startNginx} {
		c, err := starter()
		if err != nil {
			return table{}, err
		}
		time.Sleep(settle)
		idle, err := c.resident()
		if err != nil {
			return table{}, err
		}
		perCaller, err := held(c, idleConnections, func() (net.Conn, error) { return openCaller(c.near) })
		if err != nil {
			return table{}, fmt.Errorf("%s: %w", c.title, err)
		}
		b.retire(c)
		perTunnel := ""
		if c.admin != "" {
			if perTunnel, err = b.measureTunnels(starter); err != nil {
				return table{}, err
			}
		}
		t.add(c.title, mib(float64(idle)), kib(perCaller), perTunnel)
	}
	return t, nil
}

func (b *bench) measureTunnels(starter func() (*contestant, error)) (string, error) {
	c, err := starter()
	if err != nil {
		return "", err
	}
	defer b.retire(c)
	per, err := held(c, idleTunnels, func() (net.Conn, error) { return b.openTunnel(c.near) })
	return kib(per), err
}

// held is the memory each of n open connections costs, after a first one that
// pays for what is made once.
func held(c *contestant, n int, open func() (net.Conn, error)) (float64, error) {
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			conn.Close()
		}
	}()
	var before int64
	for i := range n + 1 {
		conn, err := open()
		if err != nil {
			return 0, fmt.Errorf("connection %d: %w", i, err)
		}
		conns = append(conns, conn)
		if i == 0 {
			time.Sleep(settle)
			if before, err = c.resident(); err != nil {
				return 0, err
			}
		}
	}
	time.Sleep(settle)
	after, err := c.resident()
	return float64(after-before) / float64(n), err
}

// elsewhere dials from an address of its own: the contestants' connections to
// the upstream come from 127.0.0.1 too, and among thousands the kernel gives
// the same port to one of each.
func elsewhere(address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	return dialer.Dial("tcp", address)
}

// openCaller is a caller that was answered once and now keeps its connection.
func openCaller(address string) (net.Conn, error) {
	conn, err := elsewhere(address)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(request(host, "keep-alive")); err != nil {
		return nil, err
	}
	return conn, readAnswer(conn)
}

// openTunnel is a modern caller: CONNECT, its own TLS 1.2+ with the upstream,
// one request, idle.
func (b *bench) openTunnel(address string) (net.Conn, error) {
	conn, err := elsewhere(address)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host); err != nil {
		return nil, err
	}
	said := make([]byte, 512)
	n, err := conn.Read(said)
	if err != nil {
		return nil, err
	}
	if answer := string(said[:n]); !strings.HasPrefix(answer, "HTTP/1.1 200") || !strings.HasSuffix(answer, "\r\n\r\n") {
		return nil, fmt.Errorf("CONNECT: %q", answer)
	}
	secure := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: b.roots, MinVersion: tls.VersionTLS12})
	if _, err := secure.Write(request(host, "keep-alive")); err != nil {
		return nil, err
	}
	return secure, readAnswer(secure)
}
