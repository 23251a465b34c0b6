package http1

import (
	"errors"
	"net/http"
	"strconv"
)

// Errors of requests that cannot be written without changing their meaning.
var (
	ErrMethod = errors.New("the method is not a token")
	ErrTarget = errors.New("the request target is not in origin form")
	ErrField  = errors.New("a header field's name or value cannot be sent")
)

// Lengths of a request's body that are not a count of bytes.
const (
	NoLength      = -1 // neither a body nor a Content-Length
	ChunkedLength = -2
)

// AppendRequest appends a request's head to dst (RFC 9112 section 3): the
// target byte for byte, Host, the fields of req as they are, and the framing for
// length, which is a count of bytes, NoLength or ChunkedLength. It omits framing
// and hop-by-hop fields of req. Of req, it uses only Method and Header. The error
// is ErrMethod, ErrTarget or ErrField.
func AppendRequest(dst []byte, req *http.Request, host, target string, length int64) ([]byte, error) {
	return appendRequest(dst, req, "", host, target, length)
}

// AppendForward is AppendRequest for a request to a proxy. The target is in
// absolute form (RFC 9112 section 3.2.2), an http URL of host and target.
// authorization is the value of Proxy-Authorization; "" means none.
func AppendForward(dst []byte, req *http.Request, host, target, authorization string, length int64) ([]byte, error) {
	dst, err := appendRequest(dst, req, "http://"+host, host, target, length)
	if err != nil || authorization == "" {
		return dst, err
	}
	dst = append(dst[:len(dst)-len("\r\n")], "Proxy-Authorization: "...)
	dst = append(dst, authorization...)
	return append(dst, "\r\n\r\n"...), nil
}

// appendRequest is AppendRequest with a prefix before the target.
func appendRequest(dst []byte, req *http.Request, before, host, target string, length int64) ([]byte, error) {
	if !isToken(req.Method) {
		return dst, ErrMethod
	}
	if !isOriginForm(target) {
		return dst, ErrTarget
	}
	dst = append(dst, req.Method...)
	dst = append(dst, ' ')
	dst = append(dst, before...)
	if before == "" || target != "*" { // RFC 9112 section 3.2.4
		dst = append(dst, target...)
	}
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\n"...)
	for name, values := range req.Header {
		if ofConnection(name) {
			continue
		}
		if !isToken(name) {
			return dst, ErrField
		}
		for _, v := range values {
			if !isLine(v) {
				return dst, ErrField
			}
			dst = append(dst, name...)
			dst = append(dst, ": "...)
			dst = append(dst, v...)
			dst = append(dst, "\r\n"...)
		}
	}
	switch length {
	case NoLength:
	case ChunkedLength:
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	default:
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, length, 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// isOriginForm reports whether s is in origin form, or is "*", and has no byte that
// would end the target or the line. It accepts any bytes above 0x7f.
func isOriginForm(s string) bool {
	if s == "" || s[0] != '/' && s != "*" {
		return false
	}
	blanks, control := scanTarget(s)
	return !blanks && !control
}

// isLine reports whether s has no CR, LF or NUL (RFC 9110 section 5.5).
func isLine(s string) bool {
	for i := range len(s) {
		if c := s[i]; c == '\r' || c == '\n' || c == 0 {
			return false
		}
	}
	return true
}

// ofConnection reports whether a field is hop-by-hop, or is written by this
// package.
func ofConnection(name string) bool {
	switch len(name) {
	case 2:
		return fold(name, "te")
	case 4:
		return fold(name, "host")
	case 6:
		return fold(name, "expect")
	case 7:
		return fold(name, "trailer") || fold(name, "upgrade")
	case 10:
		return fold(name, "connection") || fold(name, "keep-alive")
	case 14:
		return fold(name, "content-length")
	case 16:
		return fold(name, "proxy-connection")
	case 17:
		return fold(name, "transfer-encoding")
	case 19:
		return fold(name, "proxy-authorization")
	default:
		return false
	}
}
