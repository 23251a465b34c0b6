package upstream

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// What makes a request impossible to write without changing its meaning.
var (
	errMethod = errors.New("the method is not a token")
	errTarget = errors.New("the request target is not in origin form")
	errHeader = errors.New("a header field's name or value cannot be sent")
)

// Framing of a request's body.
const (
	noLength = -1 // no body and no Content-Length
	chunked  = -2
)

// appendHead appends the request's head (RFC 9112 3): the target byte for
// byte, the route's Host, the headers as they are, and the framing that length
// says: a count of bytes, noLength or chunked. Headers that frame or concern
// one connection only are never taken over from the request.
func appendHead(b []byte, req *http.Request, host, target string, length int64) ([]byte, error) {
	if !httpguts.ValidHeaderFieldName(req.Method) {
		return b, errMethod
	}
	if !validTarget(target) {
		return b, errTarget
	}
	b = append(b, req.Method...)
	b = append(b, ' ')
	b = append(b, target...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	b = append(b, "\r\n"...)
	for name, values := range req.Header {
		if ofConnection(name) {
			continue
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return b, errHeader
		}
		for _, v := range values {
			if !validValue(v) {
				return b, errHeader
			}
			b = append(b, name...)
			b = append(b, ": "...)
			b = append(b, v...)
			b = append(b, "\r\n"...)
		}
	}
	switch length {
	case noLength:
	case chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	default:
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, length, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// validTarget wants origin form, or the asterisk of OPTIONS, in bytes that end
// neither the target nor the line. Which bytes beyond ASCII it has is the
// client's business.
func validTarget(s string) bool {
	if s == "" || s[0] != '/' && s != "*" {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// validValue refuses what would end the line or the head (RFC 9110 5.5).
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}

// ofConnection reports whether a header concerns one connection, or is written
// by this package itself.
func ofConnection(name string) bool {
	is := func(s string) bool { return strings.EqualFold(name, s) }
	switch len(name) {
	case 2:
		return is("TE")
	case 4:
		return is("Host")
	case 6:
		return is("Expect")
	case 7:
		return is("Trailer") || is("Upgrade")
	case 10:
		return is("Connection") || is("Keep-Alive")
	case 14:
		return is("Content-Length")
	case 16:
		return is("Proxy-Connection")
	case 17:
		return is("Transfer-Encoding")
	case 19:
		return is("Proxy-Authorization")
	default:
		return false
	}
}

// maxPooledBuffer keeps a single large message from being remembered.
const maxPooledBuffer = 128 << 10

// bufferPool lends buffers for heads with small bodies, and for held answers.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *[]byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, 0, 4<<10)
	return &b
}

func (p *bufferPool) put(b *[]byte) {
	if cap(*b) <= maxPooledBuffer {
		*b = (*b)[:0]
		p.pool.Put(b)
	}
}
