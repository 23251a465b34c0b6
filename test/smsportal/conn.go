package smsportal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	maxHead = 1 << 20
	maxBody = 64 << 20
)

// Response is what the server answers. Status 0 means 200.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	Close  bool   // announce and close
	Raw    []byte // sent as it is, instead of all the above; the connection closes then
}

// serve speaks HTTP/1.x on one connection until it ends. The loop is our own
// because net/http would neither keep the raw bytes nor accept odd heads.
func (s *Server) serve(raw net.Conn) {
	conn := tls.Server(raw, s.config)
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := conn.HandshakeContext(s.stopped); err != nil {
		s.record.handshakeFailed(err)
		return
	}
	defer conn.Close()
	state := conn.ConnectionState()
	number := s.record.connected()
	reader := bufio.NewReaderSize(conn, 16<<10)
	for served := 1; ; served++ {
		_ = conn.SetDeadline(time.Now().Add(s.options.Idle))
		request, err := readRequest(reader, conn)
		if request == nil {
			return // closed between requests
		}
		request.Conn, request.TLSVersion, request.CipherSuite = number, state.Version, state.CipherSuite
		request.Resumed, request.ServerName = state.DidResume, state.ServerName
		s.record.received(request)
		if err != nil {
			if request.Complete { // understood as bytes, not as HTTP
				_ = writeResponse(conn, request, Response{Status: http.StatusBadRequest, Body: []byte(err.Error()), Close: true})
			}
			return
		}
		response := s.answer(request)
		if s.options.MaxRequests > 0 && served >= s.options.MaxRequests {
			response.Close = true
		}
		if !s.pause() || s.compress(request, &response) != nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if err := writeResponse(conn, request, response); err != nil || response.Close || response.Raw != nil || !request.keepAlive() {
			return
		}
	}
}

func (s *Server) pause() bool {
	if s.options.Delay == 0 {
		return true
	}
	timer := time.NewTimer(s.options.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopped.Done():
		return false
	}
}

// readRequest returns nil when the connection ended before a request began,
// and a request with an error when it ended, or went wrong, within one.
func readRequest(reader *bufio.Reader, conn io.Writer) (*Request, error) {
	head, err := readHead(reader)
	if len(head) == 0 {
		return nil, err
	}
	request := &Request{Received: time.Now(), Head: head, Header: http.Header{}}
	if err != nil {
		return request, fmt.Errorf("reading the head: %w", err)
	}
	if err := request.parseHead(); err != nil {
		request.Complete = true
		return request, err
	}
	if strings.EqualFold(request.Header.Get("Expect"), "100-continue") {
		if _, err := io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return request, fmt.Errorf("writing 100: %w", err)
		}
	}
	err = request.readBody(reader)
	request.Complete = err == nil
	return request, err
}

// readHead reads up to and including the empty line, whatever the line ends.
func readHead(reader *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := reader.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case err == bufio.ErrBufferFull:
			if len(head) > maxHead {
				return head, fmt.Errorf("head over %d bytes", maxHead)
			}
			continue
		case err != nil:
			return head, err
		case len(head) > maxHead:
			return head, fmt.Errorf("head over %d bytes", maxHead)
		}
		if bytes.HasSuffix(head, []byte("\r\n\r\n")) || bytes.HasSuffix(head, []byte("\n\n")) {
			return head, nil
		}
	}
}

func (r *Request) parseHead() error {
	line, rest, _ := bytes.Cut(r.Head, []byte("\n"))
	first := strings.TrimRight(string(line), "\r")
	from, to := strings.IndexByte(first, ' '), strings.LastIndexByte(first, ' ')
	if from <= 0 || to <= from {
		return fmt.Errorf("malformed request line")
	}
	r.Method, r.Target, r.Proto = first[:from], first[from+1:to], first[to+1:]
	if r.Proto != "HTTP/1.1" && r.Proto != "HTTP/1.0" {
		return fmt.Errorf("unsupported protocol")
	}
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
	if err != nil {
		return fmt.Errorf("malformed header: %w", err)
	}
	r.Header = http.Header(header)
	r.Host = r.Header.Get("Host")
	return nil
}

func (r *Request) readBody(reader *bufio.Reader) error {
	if strings.EqualFold(r.Header.Get("Transfer-Encoding"), "chunked") {
		return r.readChunked(reader)
	}
	length := int64(0)
	if text := r.Header.Get("Content-Length"); text != "" {
		var err error
		if length, err = strconv.ParseInt(text, 10, 64); err != nil || length < 0 || length > maxBody {
			return fmt.Errorf("bad Content-Length")
		}
	}
	var body bytes.Buffer
	_, err := io.CopyN(&body, reader, length)
	r.Body, r.RawBody = body.Bytes(), body.Bytes()
	if err != nil {
		return fmt.Errorf("reading the body: %w", err)
	}
	return nil
}

// readChunked keeps the framing as it came beside the decoded body.
func (r *Request) readChunked(reader *bufio.Reader) error {
	var body, raw bytes.Buffer
	defer func() { r.Body, r.RawBody = body.Bytes(), raw.Bytes() }()
	line := func() (string, error) {
		text, err := reader.ReadSlice('\n')
		raw.Write(text)
		if err != nil {
			return "", fmt.Errorf("reading a chunked body: %w", err)
		}
		return strings.TrimRight(string(text), "\r\n"), nil
	}
	for {
		text, err := line()
		if err != nil {
			return err
		}
		digits, _, _ := strings.Cut(text, ";")
		size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 32)
		if err != nil || int(size) > maxBody-body.Len() {
			return fmt.Errorf("bad chunk size")
		}
		if size == 0 {
			break
		}
		if _, err := io.CopyN(io.MultiWriter(&body, &raw), reader, int64(size)); err != nil {
			return fmt.Errorf("reading a chunk: %w", err)
		}
		if text, err := line(); err != nil || text != "" {
			return fmt.Errorf("a chunk does not end where it says")
		}
	}
	for { // trailers, up to the empty line
		text, err := line()
		if err != nil || text == "" {
			return err
		}
	}
}

// keepAlive is RFC 9112 9.3.
func (r *Request) keepAlive() bool {
	connection := strings.ToLower(strings.Join(r.Header.Values("Connection"), ","))
	if r.Proto == "HTTP/1.0" {
		return strings.Contains(connection, "keep-alive")
	}
	return !strings.Contains(connection, "close")
}

func (s *Server) compress(request *Request, response *Response) error {
	if !s.options.Gzip || response.Raw != nil || !strings.Contains(request.Header.Get("Accept-Encoding"), "gzip") {
		return nil
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(response.Body); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	response.Header = cloneHeader(response.Header)
	response.Header.Set("Content-Encoding", "gzip")
	response.Body = packed.Bytes()
	return nil
}

func cloneHeader(h http.Header) http.Header {
	if h == nil {
		return http.Header{}
	}
	return h.Clone()
}

func writeResponse(w io.Writer, request *Request, response Response) error {
	if response.Raw != nil {
		_, err := w.Write(response.Raw)
		return err
	}
	status := response.Status
	if status == 0 {
		status = http.StatusOK
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\n", status, http.StatusText(status))
	names := make([]string, 0, len(response.Header))
	for name := range response.Header {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
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
