package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ordinaryFields is how many fields an ordinary answer has at most.
const ordinaryFields = 16

// ordinary is an answer as almost all are, in few allocations: the names and
// values of its fields are pieces of one string.
type ordinary struct {
	resp   http.Response
	body   sizedBody
	values [ordinaryFields]string
}

// Memory is what an ordinary answer is kept in. It may serve one exchange after
// the other, each when nothing of the answer before is used any more: Reset says
// so. The zero Memory is ready for use.
type Memory struct {
	header http.Header
	answer ordinary
}

// Reset forgets the answer.
func (m *Memory) Reset() {
	clear(m.header)
	m.answer = ordinary{}
}

// readOrdinary reads the head of an answer if all of it has come, and if it is
// ordinary: a final status, HTTP/1.1, well-formed fields, a body of exactly one
// declared length, and nothing that says how to read it otherwise. Of anything
// else it reads nothing and returns nil: net/http is to judge it. What it
// returns is what net/http would (FuzzReadOrdinary), kept in m unless that is nil.
func readOrdinary(br *bufio.Reader, req *http.Request, m *Memory) *http.Response {
	came, _ := br.Peek(br.Buffered())
	end := bytes.Index(came, []byte("\r\n\r\n"))
	if end < 0 || req.Method == http.MethodHead {
		return nil
	}
	if m == nil {
		m = new(Memory)
	}
	m.Reset() // an answer never begins with what another left behind
	if m.header == nil {
		m.header = make(http.Header, ordinaryFields/2)
	}
	a := &m.answer
	a.resp.Header = m.header
	line, lines, _ := strings.Cut(string(came[:end+2]), "\r\n")
	if !a.status(line) || !a.fields(lines) {
		m.Reset()
		return nil
	}
	a.resp.Request = req
	a.resp.Body = http.NoBody
	if n := a.resp.ContentLength; n > 0 {
		a.body.r, a.body.left = br, n
		a.resp.Body = &a.body
	}
	_, _ = br.Discard(end + 4)
	return &a.resp
}

// status takes the status line (RFC 9112 4).
func (a *ordinary) status(line string) bool {
	const proto = "HTTP/1.1"
	rest, ok := strings.CutPrefix(line, proto+" ")
	if !ok || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' || !ordinaryText(rest) {
		return false
	}
	code, err := strconv.ParseUint(rest[:3], 10, 16)
	if err != nil || code < 200 || code == http.StatusNoContent || code == http.StatusNotModified {
		return false
	}
	a.resp.Proto, a.resp.ProtoMajor, a.resp.ProtoMinor = line[:len(proto)], 1, 1
	a.resp.Status, a.resp.StatusCode = rest, int(code)
	return true
}

// fields takes the fields, a line each (RFC 9112 5).
func (a *ordinary) fields(lines string) bool {
	sized := false
	for n := 0; lines != ""; n++ {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || n == ordinaryFields || !httpguts.ValidHeaderFieldName(name) || !ordinaryText(value) {
			return false
		}
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		switch name {
		case "Content-Length":
			length, err := strconv.ParseUint(value, 10, 63)
			if err != nil || sized {
				return false
			}
			a.resp.ContentLength, sized = int64(length), true
		case "Connection":
			if !strings.EqualFold(value, "keep-alive") {
				return false
			}
		case "Transfer-Encoding", "Trailer", "Pragma":
			return false // net/http does something about these
		}
		a.values[n] = value
		if had := a.resp.Header[name]; had != nil {
			a.resp.Header[name] = append(had, value)
		} else {
			a.resp.Header[name] = a.values[n : n+1 : n+1]
		}
	}
	return sized
}

// ordinaryText refuses control characters, of which the ends of lines are some.
func ordinaryText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// sizedBody is a body of a declared length.
type sizedBody struct {
	r    *bufio.Reader
	left int64
	held heldBody // what becomes of it, if it is held
}

func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		err = io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close does nothing: whoever holds or streams the body knows what to do.
func (b *sizedBody) Close() error { return nil }
