package http1

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

// frame completes the head: how the body is delimited and whether the connection
// persists (RFC 9112 sections 6.1, 6.2, 9.3).
func (w *Response) frame() {
	w.framed = true
	r := &w.c.req
	http10 := r.ProtoMinor == 0
	bodiless := w.noBody && w.length == unknownLength
	w.chunked = !http10 && w.length == unknownLength && !bodiless
	ends := http10 && w.length == unknownLength && !bodiless
	unread := r.body != nil && !r.body.settle()
	w.closes = w.closes || r.Close || ends || unread || w.c.draining.Load()
	w.reserve(128)
	switch {
	case w.length != unknownLength:
		w.out = append(w.out, "Content-Length: "...)
		w.out = strconv.AppendInt(w.out, w.length, 10)
		w.out = append(w.out, "\r\n"...)
	case w.chunked:
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case w.closes:
		w.out = append(w.out, "Connection: close\r\n"...)
	case http10:
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// appendHead appends the status line and the fields other than framing. bare is
// true for statuses that have no Content-Length.
func (w *Response) appendHead(bare bool) {
	b := append(w.out, "HTTP/1.1 "...)
	if w.c.req.ProtoMinor == 0 {
		b[len("HTTP/1.")] = '0'
	}
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(b, ' ')
	if text := cmp.Or(w.reason, http.StatusText(w.status)); text != "" {
		b = append(b, text...)
	} else {
		b = append(b, "status code "...)
		b = strconv.AppendInt(b, int64(w.status), 10)
	}
	w.out = append(b, "\r\n"...)
	dated := false
	for name, values := range w.header {
		switch name {
		case "Content-Length":
			if len(values) == 1 && !bare {
				w.length = max(parseLength(values[0]), unknownLength)
			}
			continue
		case "Transfer-Encoding":
			continue
		case "Connection":
			w.connection(values)
			continue
		case "Date":
			dated = true
		}
		for _, v := range values {
			w.appendField(name, v)
		}
	}
	if !dated {
		w.reserve(64)
		w.out = append(w.out, "Date: "...)
		w.out = time.Now().UTC().AppendFormat(w.out, http.TimeFormat)
		w.out = append(w.out, "\r\n"...)
	}
}

// connection handles the handler's Connection field. frame writes "close" and
// "keep-alive".
func (w *Response) connection(values []string) {
	for _, v := range values {
		switch {
		case hasOption(v, "close"):
			w.closes = true
		case !hasOption(v, "keep-alive"):
			w.appendField("Connection", v)
		}
	}
}

// appendField appends one field. It skips the field if name is not a token. CR, LF
// and NUL in the value become spaces.
func (w *Response) appendField(name, value string) {
	if !isToken(name) {
		return
	}
	w.reserve(len(name) + len(value) + len(": \r\n"))
	b := append(w.out, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	if !isLine(value) {
		for i := len(b) - len(value); i < len(b); i++ {
			if b[i] == '\r' || b[i] == '\n' || b[i] == 0 {
				b[i] = ' '
			}
		}
	}
	w.out = append(b, "\r\n"...)
}
