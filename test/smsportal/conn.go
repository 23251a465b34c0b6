package smsportal

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tlslift/test/wire"
)

// Response is what the server answers. Status 0 means 200.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Close  bool   // announce that the connection closes, and close it
	Raw    []byte // sent as it is, instead of everything above; then the connection closes
}

// idle is how long a connection may wait for its next request.
const idle = time.Minute

// serve speaks HTTP/1.x on one connection until it ends.
func (s *Server) serve(raw net.Conn) {
	conn := tls.Server(raw, s.config)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := conn.HandshakeContext(s.stopped); err != nil {
		return
	}
	defer conn.Close()
	state := conn.ConnectionState()
	number := s.record.connected()
	peer, _ := netip.ParseAddrPort(raw.RemoteAddr().String())
	reader := bufio.NewReaderSize(conn, 16<<10)
	for served := 1; ; served++ {
		_ = conn.SetDeadline(time.Now().Add(idle))
		request, err := readRequest(reader, conn)
		if request == nil {
			return // closed between requests
		}
		request.Conn, request.Peer = number, peer
		request.TLSVersion, request.Resumed, request.ServerName = state.Version, state.DidResume, state.ServerName
		s.record.received(request)
		if err != nil {
			if request.Complete { // it has arrived, but is not valid HTTP
				_ = writeResponse(conn, request, Response{Status: http.StatusBadRequest, Body: []byte(err.Error()), Close: true})
			}
			return
		}
		response := s.respond(request)
		if s.options.MaxRequests > 0 && served >= s.options.MaxRequests {
			response.Close = true
		}
		if !s.pause() {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if err := writeResponse(conn, request, response); err != nil || response.Close || response.Raw != nil || !request.KeepAlive() {
			return
		}
	}
}

func (s *Server) respond(r *Request) Response {
	if s.options.Override != nil {
		if response, ours := s.options.Override(r); ours {
			return response
		}
	}
	answer := s.api.Answer(r.call())
	return Response{Status: answer.Status, Header: answer.Header, Body: answer.Body}
}

func (s *Server) pause() bool {
	select {
	case <-time.After(s.options.Delay):
		return true
	case <-s.stopped.Done():
		return false
	}
}

// readRequest returns nil if the connection ended before a request began. If it
// ended or failed within a request, readRequest returns that request and an error.
func readRequest(reader *bufio.Reader, conn io.Writer) (*Request, error) {
	raw, err := wire.ReadHead(reader)
	if len(raw) == 0 {
		return nil, err
	}
	request := &Request{Raw: raw}
	if err != nil {
		return request, fmt.Errorf("reading the head: %w", err)
	}
	if request.Head, err = wire.ParseHead(raw); err != nil {
		request.Complete = true
		return request, err
	}
	if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return request, fmt.Errorf("writing 100: %w", err)
		}
	}
	request.Body, request.RawBody, err = request.ReadBody(reader)
	request.Complete = err == nil
	return request, err
}

func writeResponse(w io.Writer, request *Request, response Response) error {
	if response.Raw != nil {
		_, err := w.Write(response.Raw)
		return err
	}
	status := cmp.Or(response.Status, http.StatusOK)
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	for _, name := range slices.Sorted(maps.Keys(response.Header)) {
		for _, value := range response.Header[name] {
			fmt.Fprintf(&out, "%s: %s\r\n", name, value)
		}
	}
	bodiless := status == http.StatusNoContent || status == http.StatusNotModified
	if !bodiless && response.Header.Get("Content-Length") == "" {
		fmt.Fprintf(&out, "Content-Length: %d\r\n", len(response.Body))
	}
	if response.Close {
		out.WriteString("Connection: close\r\n")
	}
	out.WriteString("\r\n")
	if !bodiless && request.Method != http.MethodHead {
		out.Write(response.Body)
	}
	_, err := w.Write(out.Bytes())
	return err
}
