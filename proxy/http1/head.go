package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// headParser parses one request head. It keeps body framing out of the Request,
// because only the connection's loop may act on it.
type headParser struct {
	req *Request

	lines                   int // field lines seen
	hosts, lengths, codings int // Host, Content-Length and Transfer-Encoding lines seen
	hostValue               string
	connection              bool // a Connection field is present
	close, keepAlive        bool // the options it lists
	hopKeepAlive            bool // Proxy-Connection: keep-alive

	length     int64 // of the body; 0 if there is none
	chunked    bool
	expect     bool // Expect: 100-continue
	lengthless bool // it has no length, so nothing may follow the head
	whole      bool // every field was read
}

// parse parses a complete head: the request line, the field lines and the final
// empty line. Lines end in CRLF or LF. bodyBytes limits the body; 0 means no limit.
func (p *headParser) parse(head string, bodyBytes int64) *Refusal {
	line, rest := cutLine(head)
	if ref := p.req.requestLine(line); ref != nil {
		return ref
	}
	for {
		line, rest = cutLine(rest)
		if line == "" {
			break
		}
		if ref := p.field(line); ref != nil {
			return ref
		}
	}
	p.whole = true
	if ref := p.judgeHost(); ref != nil {
		return ref
	}
	if ref := p.judgeFraming(bodyBytes); ref != nil {
		return ref
	}
	p.req.Close = p.lengthless || !p.persistent()
	return nil
}

// cutLine splits s after its first LF and strips the line ending.
func cutLine(s string) (line, rest string) {
	i := strings.IndexByte(s, '\n')
	if i < 0 {
		return "", ""
	}
	line, rest = s[:i], s[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

// maxFields limits the field lines of a request. A field costs many times its size
// in memory; no known client sends half as many.
const maxFields = 128

// field parses one field line (RFC 9112 section 5).
func (p *headParser) field(line string) *Refusal {
	if p.lines++; p.lines > maxFields {
		return tooLarge(http.StatusRequestHeaderFieldsTooLarge, detailManyFields)
	}
	if line[0] == ' ' || line[0] == '\t' {
		return malformed(detailFold)
	}
	colon := strings.IndexByte(line, ':')
	if colon <= 0 || !isToken(line[:colon]) {
		return malformed(detailHeaderName)
	}
	name, value := line[:colon], trim(line[colon+1:])
	if !isFieldValue(value) {
		return malformed(detailHeaderValue)
	}
	if looksLikeFraming(name) {
		return malformed(detailLookalike)
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	if p.note(name, value) {
		p.req.fields.add(name, value)
	}
	return nil
}

// looksLikeFraming reports whether name is that of a framing field with underscores
// in place of hyphens. As CGI variables, both have the same name.
func looksLikeFraming(name string) bool {
	if strings.IndexByte(name, '_') < 0 {
		return false
	}
	name = strings.ReplaceAll(name, "_", "-")
	return fold(name, "content-length") || fold(name, "transfer-encoding")
}

// note records what a field says about framing, host and connection. It reports
// whether the field belongs in the header.
func (p *headParser) note(name, value string) bool {
	switch name {
	case "Host":
		p.hosts++
		p.hostValue = value
		return false
	case "Transfer-Encoding":
		p.codings++
		p.chunked = fold(value, "chunked")
		return false
	case "Trailer":
		return false // trailers are not passed on
	case "Expect":
		p.expect = p.expect || fold(value, "100-continue")
		return false
	case "Content-Length":
		p.lengths++
		p.length = parseLength(value)
	case "Connection":
		p.connection = true
		p.close = p.close || hasOption(value, "close")
		p.keepAlive = p.keepAlive || hasOption(value, "keep-alive")
	case "Proxy-Connection":
		p.hopKeepAlive = p.hopKeepAlive || fold(value, "keep-alive")
	}
	return true
}

// hasOption reports whether a Connection field lists option, which must be in lower
// case.
func hasOption(value, option string) bool {
	for value != "" {
		var item string
		item, value, _ = strings.Cut(value, ",")
		if fold(trim(item), option) {
			return true
		}
	}
	return false
}

// parseLength parses plain digits. It returns -1 for anything else, and the largest
// int64 for a number that overflows.
func parseLength(digits string) int64 {
	const most = 1<<63 - 1
	n := int64(0)
	for i := range len(digits) {
		c := digits[i]
		if !isDigit(c) {
			return -1
		}
		if n > (most-9)/10 {
			n = most
			continue
		}
		n = n*10 + int64(c-'0')
	}
	if digits == "" {
		return -1
	}
	return n
}

// judgeHost applies RFC 9112 section 3.2: at most one valid Host, and exactly
// one on HTTP/1.1. If the target names the host, the Host field may be missing or
// malformed and is ignored.
func (p *headParser) judgeHost() *Refusal {
	if p.hosts > 1 {
		return malformed(detailTwoHosts)
	}
	r := p.req
	switch {
	case r.Form == AbsoluteForm || r.Form == AuthorityForm:
		return nil
	case p.hosts == 0 && r.ProtoMinor > 0:
		return malformed(detailNoHost)
	case !r.authority(p.hostValue):
		return malformed(detailHost)
	}
	return nil
}

// judgeFraming decides how long the body is (RFC 9112 section 6.3). A CONNECT
// has no body, whatever its fields say: Axis and WinHTTP send a Content-Length and
// no body.
func (p *headParser) judgeFraming(bodyBytes int64) *Refusal {
	if p.req.Form == AuthorityForm {
		delete(p.req.Header, "Content-Length")
		p.length, p.chunked, p.expect = 0, false, false
		return nil
	}
	http10 := p.req.ProtoMinor == 0
	switch {
	case p.codings > 0 && http10:
		return malformed(detailTE10)
	case p.codings > 0 && p.lengths > 0:
		return malformed(detailLengthAndTE)
	case p.codings > 1 || p.codings == 1 && !p.chunked:
		return malformed(detailTE)
	case p.lengths > 1:
		return malformed(detailTwoLengths)
	case p.length < 0:
		return malformed(detailLength)
	case bodyBytes > 0 && p.length > bodyBytes:
		return tooLarge(http.StatusRequestEntityTooLarge, detailBodyTooLarge)
	case http10 && p.lengths == 0 && takesBody(p.req.Method):
		// RFC 1945 section 8.3 requires a length. A message without its text must
		// not be sent; a call whose parameters are all in the query may be.
		if _, query, _ := strings.Cut(p.req.Target, "?"); query == "" || p.req.Header["Content-Type"] != nil {
			return lengthless()
		}
		p.lengthless = true
	}
	p.expect = p.expect && !http10 && (p.length > 0 || p.chunked)
	return nil
}

// takesBody reports whether requests with this method usually have a body. The case
// of the method does not matter.
func takesBody(method string) bool {
	return fold(method, "post") || fold(method, "put") || fold(method, "patch")
}

// persistent reports whether the connection persists (RFC 9112 section 9.3). Old
// clients that talk HTTP/1.0 to a proxy ask for that in Proxy-Connection.
func (p *headParser) persistent() bool {
	switch {
	case p.close:
		return false
	case p.req.ProtoMinor > 0:
		return true
	default:
		return p.keepAlive || p.hopKeepAlive && !p.connection
	}
}

// overlong refuses a head that exceeds limit, complete or not: with 414 if the
// request line alone exceeds it, else with 431.
func overlong(head []byte, limit int) *Refusal {
	if i := bytes.IndexByte(head, '\n'); i < 0 || i >= limit {
		return tooLarge(http.StatusRequestURITooLong, detailTargetTooLong)
	}
	return tooLarge(http.StatusRequestHeaderFieldsTooLarge, detailHeadTooLarge)
}

// headEnd returns the length of the head at the start of b, including its empty
// line, or 0 if the head is incomplete. The search starts at *from, which headEnd
// advances, so each byte is scanned only once.
func headEnd(b []byte, from *int) int {
	at := *from
	for {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			*from = len(b)
			return 0
		}
		next := at + i + 1
		switch {
		case next < len(b) && b[next] == '\n':
			return next + 1
		case next+1 < len(b) && b[next] == '\r' && b[next+1] == '\n':
			return next + 2
		case next+1 >= len(b) && (next == len(b) || b[next] == '\r'):
			*from = at + i
			return 0
		}
		at = next
	}
}
