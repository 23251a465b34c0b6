// Package wire reads HTTP/1.x requests without losing a byte of what arrived.
// net/http neither keeps the raw bytes nor accepts odd heads.
package wire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// The limits of one request, in bytes.
const (
	MaxHead = 1 << 20
	MaxBody = 64 << 20
)

// Head is a request's head: the request line and the header. The line is split at
// its first and last space, so that the target may contain spaces.
type Head struct {
	Method, Target, Proto string
	Header                http.Header
}

// ReadHead reads up to and including the empty line, with any line endings. On an
// error, it also returns what was read before.
func ReadHead(reader *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := reader.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if len(head) > MaxHead {
				return head, fmt.Errorf("head over %d bytes", MaxHead)
			}
			continue
		case err != nil:
			return head, err
		case len(head) > MaxHead:
			return head, fmt.Errorf("head over %d bytes", MaxHead)
		}
		if bytes.HasSuffix(head, []byte("\r\n\r\n")) || bytes.HasSuffix(head, []byte("\n\n")) {
			return head, nil
		}
	}
}

// ParseHead parses a head.
func ParseHead(raw []byte) (Head, error) {
	line, rest, _ := bytes.Cut(raw, []byte("\n"))
	first := strings.TrimRight(string(line), "\r")
	from, to := strings.IndexByte(first, ' '), strings.LastIndexByte(first, ' ')
	if from <= 0 || to <= from {
		return Head{}, errors.New("malformed request line")
	}
	head := Head{Method: first[:from], Target: first[from+1 : to], Proto: first[to+1:]}
	if head.Proto != "HTTP/1.1" && head.Proto != "HTTP/1.0" {
		return Head{}, errors.New("unsupported protocol")
	}
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
	if err != nil {
		return Head{}, fmt.Errorf("malformed header: %w", err)
	}
	head.Header = http.Header(header)
	return head, nil
}

// Host returns the Host header, or "".
func (h Head) Host() string { return h.Header.Get("Host") }

// KeepAlive reports whether the connection stays open (RFC 9112 9.3).
func (h Head) KeepAlive() bool {
	connection := strings.ToLower(strings.Join(h.Header.Values("Connection"), ","))
	if h.Proto == "HTTP/1.0" {
		return strings.Contains(connection, "keep-alive")
	}
	return !strings.Contains(connection, "close")
}

// ReadBody reads the body that the head announces. It returns the body decoded, and
// raw as it was on the wire. On an error, it also returns what was read before.
func (h Head) ReadBody(reader *bufio.Reader) (body, raw []byte, err error) {
	if strings.EqualFold(h.Header.Get("Transfer-Encoding"), "chunked") {
		return readChunked(reader)
	}
	length := int64(0)
	if text := h.Header.Get("Content-Length"); text != "" {
		if length, err = strconv.ParseInt(text, 10, 64); err != nil || length < 0 || length > MaxBody {
			return nil, nil, errors.New("bad Content-Length")
		}
	}
	var read bytes.Buffer
	if _, err = io.CopyN(&read, reader, length); err != nil {
		err = fmt.Errorf("reading the body: %w", err)
	}
	return read.Bytes(), read.Bytes(), err
}

func readChunked(reader *bufio.Reader) (_, _ []byte, err error) {
	var body, raw bytes.Buffer
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
			return body.Bytes(), raw.Bytes(), err
		}
		digits, _, _ := strings.Cut(text, ";")
		size, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 32)
		if err != nil || int64(size) > int64(MaxBody-body.Len()) {
			return body.Bytes(), raw.Bytes(), errors.New("bad chunk size")
		}
		if size == 0 {
			break
		}
		if _, err := io.CopyN(io.MultiWriter(&body, &raw), reader, int64(size)); err != nil {
			return body.Bytes(), raw.Bytes(), fmt.Errorf("reading a chunk: %w", err)
		}
		if text, err := line(); err != nil || text != "" {
			return body.Bytes(), raw.Bytes(), errors.New("a chunk does not end where it says")
		}
	}
	for { // trailers, up to the empty line
		text, err := line()
		if err != nil || text == "" {
			return body.Bytes(), raw.Bytes(), err
		}
	}
}
