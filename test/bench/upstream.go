//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// host is the API's name in all configurations; far is the same API behind the
// delaying relay.
const host, far = "api.smsportal.com", "far.smsportal.com"

// answerBody is what every request gets: a small answer, as the API gives.
const answerBody = `{"number":0,"balance":1234.56,"currency":"ZAR","eventId":"6f1c2f0e-8d1c-4b5e-9a53-3f3f4c4d5e6f"}` + "\n"

// largeTarget is the path whose answer has a body of largeBody bytes.
const (
	largeTarget = "/v1/Report"
	largeBody   = 1 << 20
)

// upstreamIdle is how long the upstream keeps an idle connection. It is shorter
// than the long pause, so that nobody lives off one old connection.
const upstreamIdle = 45 * time.Second

// serveUpstream answers requests as cheaply as it can over TLS 1.2+: the
// contestants are to be measured, not the other side. Arguments: address,
// certificate file, key file.
func serveUpstream(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("upstream: wants an address, a certificate and a key")
	}
	certificate, err := tls.LoadX509KeyPair(arguments[1], arguments[2])
	if err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	listener, err := tls.Listen("tcp", arguments[0], &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	})
	if err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	answer := []byte("HTTP/1.1 200 OK\r\nDate: Mon, 02 Mar 2026 10:00:00 GMT\r\nContent-Type: application/json; charset=utf-8\r\n" +
		"Cache-Control: no-store\r\nContent-Length: " + strconv.Itoa(len(answerBody)) + "\r\n\r\n" + answerBody)
	largeAnswer := append([]byte("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: "+strconv.Itoa(largeBody)+"\r\n\r\n"), bytes.Repeat([]byte{'a'}, largeBody)...)
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("upstream: %w", err)
		}
		go answerAll(conn, answer, largeAnswer)
	}
}

// answerAll reads requests, with or without a body of known length, and answers
// each.
func answerAll(conn net.Conn, small, large []byte) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 4<<10)
	deadline := time.Now()
	for {
		// A timer set anew for each request would cost more than the rest.
		if left := time.Until(deadline); left < upstreamIdle/2 {
			deadline = time.Now().Add(upstreamIdle)
			_ = conn.SetReadDeadline(deadline)
		}
		length, answer := 0, small
		for {
			line, err := reader.ReadSlice('\n')
			if err != nil {
				return
			}
			line = bytes.TrimSpace(line)
			if len(line) == 0 {
				break
			}
			if bytes.HasPrefix(line, []byte("GET "+largeTarget+" ")) {
				answer = large
			}
			name, value, _ := bytes.Cut(line, []byte(":"))
			if bytes.EqualFold(name, []byte("Content-Length")) {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
			}
		}
		if _, err := io.CopyN(io.Discard, reader, int64(length)); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
