package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// Errors of reading an answer. They quote none of it. Errors of the underlying
// reader are returned as they are, except for an EOF inside the answer.
var (
	ErrMalformed    = errors.New("the answer is not well-formed HTTP/1")
	ErrHeadTooLarge = errors.New("the answer's head is too large")
	ErrTruncated    = errors.New("the answer ended before it was complete")
)

const (
	// maxAnswerHead limits the total size of the heads of an answer and of the
	// interim answers before it, in bytes.
	maxAnswerHead = 64 << 10
	// maxAnswerFields limits the field lines of an answer.
	maxAnswerFields = 512
)

// Framing is how the end of an answer's body is found (RFC 9112 section 6.3).
type Framing uint8

// Framings of a body.
const (
	NoBody     Framing = iota
	Sized              // by its Content-Length
	Chunked            // by its last chunk
	UntilClose         // by the end of the connection
)

// Answer is one answer and the memory that holds it. Call Reset before reading the
// next answer, once nothing of this one is in use. The zero Answer is ready for
// use.
//
// The caller may set Request; Trailer stays nil. Body yields exactly what the
// framing says. Its Read returns ErrTruncated if the connection ends before that,
// and ErrMalformed for broken chunks. With UntilClose it returns io.EOF when the
// connection ends, and only the caller can find out whether the answer was
// complete. Close does nothing.
type Answer struct {
	http.Response

	Framing Framing

	fields   fields
	body     answerBody
	coding   [1]string // for http.Response.TransferEncoding
	gathered []byte    // a head that was not in the reader's buffer as a whole
	headRead int       // bytes of heads read since Reset
}

// Reset discards the answer but keeps its memory.
func (a *Answer) Reset() {
	f := a.fields
	f.reset()
	*a = Answer{fields: f}
}

// ReadAnswer reads the head of one answer, interim (1xx) or final, to a request
// with the given method, and sets up its body. Read the answer that follows an
// interim one into the same Answer, without a Reset in between.
//
// Heads are parsed leniently. Lines may end in LF. Empty lines before the status
// line are skipped. The protocol may be in lower case. A reason phrase may be
// missing, or follow the status without a space. Folded fields are joined with a
// space, and control characters in a value become spaces. Whitespace before a colon
// is dropped (RFC 9112 section 5.1). A line that is not a field is dropped too: one
// without a colon, with an empty or malformed name, or that begins with whitespace.
// Equal Content-Lengths count as one, and "identity" is not a coding. Chunked
// framing takes precedence over a Content-Length, which is dropped.
//
// ReadAnswer returns ErrMalformed if the length is in doubt: for Content-Lengths
// that differ or are not plain digits, a coding other than chunked, chunked on
// HTTP/1.0, a framing field that is folded or has control characters, and a
// malformed line that could be meant as one. Interim answers, 204, 304, answers to
// HEAD and successful answers to CONNECT have no body.
func ReadAnswer(br *bufio.Reader, method string, a *Answer) error {
	head, err := a.readHead(br)
	if err != nil {
		return err
	}
	a.fields.reset()
	a.Response = http.Response{Header: a.fields.header, Body: http.NoBody}
	line, rest := cutLine(head)
	if !a.statusLine(line) {
		return ErrMalformed
	}
	var f answerFraming
	for n := 0; rest != ""; n++ {
		var field answerField
		var ok bool
		if field, rest, ok = cutField(rest); !ok || !f.note(a, &field) {
			return ErrMalformed
		}
		if n == maxAnswerFields {
			return ErrHeadTooLarge
		}
	}
	if !f.settle(a, method) {
		return ErrMalformed
	}
	a.body = answerBody{br: br, framing: a.Framing, left: a.ContentLength}
	a.body.chunks.lenient = true
	if a.Framing != NoBody {
		a.Body = &a.body
	}
	return nil
}

// readHead reads a head through its empty line and returns the lines before that.
func (a *Answer) readHead(br *bufio.Reader) (string, error) {
	if err := skipBlankLines(br); err != nil {
		return "", err
	}
	came, _ := br.Peek(br.Buffered())
	from := 0
	if end := headEnd(came, &from); end > 0 {
		if a.headRead += end; a.headRead > maxAnswerHead {
			return "", ErrHeadTooLarge
		}
		head := string(came[:end])
		_, _ = br.Discard(end)
		return withoutEnd(head), nil
	}
	if !a.beginsWith(came) {
		return "", ErrMalformed
	}
	return a.gatherHead(br)
}

func skipBlankLines(br *bufio.Reader) error {
	for range maxBlanks {
		b, err := br.Peek(1)
		if err == nil && b[0] == '\r' {
			b, err = br.Peek(2)
		}
		if err != nil {
			return headError(err, len(b))
		}
		if b[len(b)-1] != '\n' {
			break
		}
		_, _ = br.Discard(len(b))
	}
	return nil
}

// beginsWith reports whether a head can begin with the bytes in came: their first
// line is a status line, or can become one. If not, more bytes may never come: a
// server of another protocol may be waiting for the client.
func (a *Answer) beginsWith(came []byte) bool {
	const start = "http/1."
	if n := min(len(came), len(start)); !fold(string(came[:n]), start[:n]) {
		return false
	}
	i := bytes.IndexByte(came, '\n')
	if i < 0 {
		return true
	}
	line, _ := cutLine(string(came[:i+1]))
	return a.statusLine(line)
}

// gatherHead reads a head that has not arrived as a whole, or is larger than the
// reader's buffer.
func (a *Answer) gatherHead(br *bufio.Reader) (string, error) {
	a.gathered = a.gathered[:0]
	from := 0
	for judged := false; ; {
		piece, err := br.ReadSlice('\n')
		a.gathered = append(a.gathered, piece...)
		if !judged && !a.beginsWith(a.gathered) {
			return "", ErrMalformed
		}
		judged = judged || err == nil
		if a.headRead += len(piece); a.headRead > maxAnswerHead {
			return "", ErrHeadTooLarge
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return "", headError(err, len(a.gathered))
		}
		if headEnd(a.gathered, &from) > 0 {
			head := string(a.gathered)
			if cap(a.gathered) > 2*smallBuffer {
				a.gathered = nil
			}
			return withoutEnd(head), nil
		}
	}
}

// withoutEnd returns head without its empty line.
func withoutEnd(head string) string {
	return strings.TrimSuffix(head[:len(head)-1], "\r")
}

// headError returns the error to report for err, which ended a head after n bytes.
func headError(err error, n int) error {
	if errors.Is(err, io.EOF) && n > 0 {
		return ErrTruncated
	}
	return err
}

// statusLine parses the status line (RFC 9112 section 4).
func (a *Answer) statusLine(line string) bool {
	const version = "http/1.1"
	proto, status, found := strings.Cut(line, " ")
	if !found || len(proto) != len(version) || !fold(proto[:7], version[:7]) || !isDigit(proto[7]) {
		return false
	}
	status = strings.TrimLeft(status, " ")
	code := parseLength(status[:min(3, len(status))])
	if code < 100 || code > 999 || len(status) > 3 && isDigit(status[3]) {
		return false
	}
	a.Proto, a.ProtoMajor, a.ProtoMinor = strings.ToUpper(proto), 1, int(proto[7]-'0')
	a.Status, a.StatusCode = status, int(code)
	return true
}

// answerField is one field of an answer.
type answerField struct {
	name  string // "" if the field must be dropped
	value string
	odd   bool // it was folded, or has control characters
}

// cutField splits the first field, including its continuation lines, from lines. It
// reports false for a line that is not a field but could be meant as a framing
// field.
func cutField(lines string) (f answerField, rest string, ok bool) {
	line, rest := cutLine(lines)
	name, value, colon := strings.Cut(line, ":")
	value = trim(value)
	if rest != "" && (rest[0] == ' ' || rest[0] == '\t') {
		value, rest = unfold(value, rest)
		f.odd = true
	}
	if name = strings.TrimRight(name, " \t"); !colon || !isToken(name) {
		return f, rest, !likeFraming(line)
	}
	if !isFieldValue(value) {
		value = trim(withoutControls(value))
		f.odd = true
	}
	f.name, f.value = textproto.CanonicalMIMEHeaderKey(name), value
	return f, rest, true
}

// likeFraming reports whether a line that is not a field begins with the letters of
// a framing field's name, ignoring other characters.
func likeFraming(line string) bool {
	letters := strings.Map(func(c rune) rune {
		if c |= 0x20; 'a' <= c && c <= 'z' {
			return c
		}
		return -1
	}, line)
	return strings.HasPrefix(letters, "contentlength") || strings.HasPrefix(letters, "transferencoding")
}

// unfold joins a value with its continuation lines (RFC 9112 section 5.2).
func unfold(value, lines string) (whole, rest string) {
	b := []byte(value)
	for lines != "" && (lines[0] == ' ' || lines[0] == '\t') {
		var line string
		line, lines = cutLine(lines)
		b = append(b, ' ')
		b = append(b, trim(line)...)
	}
	return trim(string(b)), lines
}

// withoutControls replaces control characters with spaces (RFC 9110 section 5.5).
func withoutControls(value string) string {
	b := []byte(value)
	for i, c := range b {
		if c < ' ' || c == 0x7f {
			b[i] = ' '
		}
	}
	return string(b)
}

// answerFraming holds what the fields say about the body and the connection.
type answerFraming struct {
	length           int64
	sized            bool
	chunked          bool
	close, keepAlive bool
}

// note records a field, and reports false if it leaves the length in doubt.
func (f *answerFraming) note(a *Answer, field *answerField) bool {
	name, value := field.name, field.value
	switch name {
	case "", "Trailer": // trailers are not passed on
		return true
	case "Content-Length":
		if field.odd || !f.noteLength(value) {
			return false
		}
		if a.Header[name] != nil {
			return true
		}
		value, _, _ = strings.Cut(value, ",")
		value = trim(value)
	case "Transfer-Encoding":
		if fold(value, "identity") {
			return true
		}
		once := !f.chunked
		f.chunked = true
		return once && !field.odd && fold(value, "chunked")
	case "Connection":
		f.close = f.close || hasOption(value, "close")
		f.keepAlive = f.keepAlive || hasOption(value, "keep-alive")
	}
	a.fields.add(name, value)
	return true
}

// noteLength records a Content-Length, which may be a list of equal values (RFC
// 9110 section 8.6).
func (f *answerFraming) noteLength(value string) bool {
	for more := true; more; {
		var digits string
		digits, value, more = strings.Cut(value, ",")
		n, err := strconv.ParseUint(trim(digits), 10, 63)
		if err != nil || f.sized && f.length != int64(n) {
			return false
		}
		f.length, f.sized = int64(n), true
	}
	return true
}

// settle decides how the body ends and whether the connection persists (RFC 9112
// sections 6.3 and 9.3). It reports false if that is in doubt.
func (f *answerFraming) settle(a *Answer, method string) bool {
	if f.chunked && a.ProtoMinor == 0 {
		return false
	}
	a.Close = f.close || a.ProtoMinor == 0 && !f.keepAlive
	if f.chunked {
		a.coding[0] = "chunked"
		a.TransferEncoding = a.coding[:]
		delete(a.Header, "Content-Length")
	}
	status := a.StatusCode
	bodiless := status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
	switch {
	case method == http.MethodHead:
		a.Framing, a.ContentLength = NoBody, unknownLength
		if f.sized && !f.chunked {
			a.ContentLength = f.length
		}
	case bodiless, method == http.MethodConnect && status/100 == 2:
		a.Framing, a.ContentLength = NoBody, 0
	case f.chunked:
		a.Framing, a.ContentLength = Chunked, unknownLength
	case f.sized && f.length > 0:
		a.Framing, a.ContentLength = Sized, f.length
	case f.sized:
		a.Framing, a.ContentLength = NoBody, 0
	default:
		a.Framing, a.ContentLength, a.Close = UntilClose, unknownLength, true
	}
	return true
}
