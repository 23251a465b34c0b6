package front

import (
	"bytes"
	"net/http"

	"tlslift/proxy/problem"
)

// fixes are what has to be changed in a head before it is passed on.
type fixes uint8

const (
	fixTarget   fixes = 1 << iota // raw spaces or tabs, userinfo
	dropHost                      // unusable beside a target that names the host
	addHost                       // HTTP/1.1 whose target names the host and that has no usable Host
	dropFraming                   // Content-Length and Transfer-Encoding of CONNECT
	dropExpect                    // an expectation net/http would answer 417
	dropTrailer                   // trailers are not passed on
	keepAlive                     // Proxy-Connection: keep-alive of HTTP/1.0
)

// verdict is what was found in one request head. Its slices point into the
// head.
type verdict struct {
	refusal *Refusal // nil: the head is fine
	fix     fixes    // 0: pass the head on as it is

	method []byte
	target []byte // as received, spaces included
	scheme []byte // absolute-form: "http://"
	path   []byte // absolute-form: what follows the authority, "" included
	host   []byte // of the target, else of Host; "" = none named
	form   form
	http10 bool

	length  int64 // of the body; 0 without one
	chunked bool

	hosts, lengths, codings int    // how many lines of each were seen
	hostValue               []byte // of the Host line
	connection              bool   // there is a Connection line
	hopKeepAlive            bool   // Proxy-Connection: keep-alive
}

// refuse records the first refusal; later ones do not replace it.
func (v *verdict) refuse(r *Refusal) {
	if v.refusal == nil {
		v.refusal = r
	}
}

// judge reads a whole head: the request line, the header lines, and the empty
// line at its end. Lines end in CRLF or LF. bodyBytes is the limit of a body,
// 0 for none.
func (v *verdict) judge(head []byte, bodyBytes int64) {
	line, rest := cutLine(head)
	v.requestLine(line)
	for v.refusal == nil {
		line, rest = cutLine(rest)
		if len(line) == 0 {
			break
		}
		v.headerLine(line)
	}
	if v.refusal != nil {
		return
	}
	v.judgeHost()
	v.judgeFraming(bodyBytes)
	if v.http10 && v.hopKeepAlive && !v.connection {
		v.fix |= keepAlive
	}
}

// cutLine cuts b after its first LF and takes the line end off the line.
func cutLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, nil
	}
	line, rest = b[:i], b[i+1:]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, rest
}

func (v *verdict) headerLine(line []byte) {
	if line[0] == ' ' || line[0] == '\t' {
		v.refuse(malformed(detailFold))
		return
	}
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 || !isToken(line[:colon]) {
		v.refuse(malformed(detailHeaderName))
		return
	}
	value := line[colon+1:]
	if !cleanValue(value) {
		v.refuse(malformed(detailHeaderValue))
		return
	}
	v.note(line[:colon], value)
}

// note takes from a header line what decides about framing, host and
// connection.
func (v *verdict) note(name, value []byte) {
	switch {
	case fold(name, "host"):
		v.hosts++
		v.hostValue = trim(value)
	case fold(name, "expect"):
		if !fold(trim(value), "100-continue") {
			v.fix |= dropExpect
		}
	case fold(name, "trailer"):
		v.fix |= dropTrailer
	case fold(name, "connection"):
		v.connection = true
	case fold(name, "content-length"):
		v.lengths++
		v.noteLength(trim(value))
	case fold(name, "proxy-connection"):
		v.hopKeepAlive = v.hopKeepAlive || fold(trim(value), "keep-alive")
	case fold(name, "transfer-encoding"):
		v.codings++
		v.chunked = fold(trim(value), "chunked")
	}
}

// noteLength reads plain digits; -1 stands for anything else. A number too
// large for the type is as good as the largest one.
func (v *verdict) noteLength(digits []byte) {
	const most = 1<<63 - 1
	v.length = 0
	for _, c := range digits {
		if !isDigit(c) {
			v.length = -1
			return
		}
		if v.length > (most-9)/10 {
			v.length = most
			continue
		}
		v.length = v.length*10 + int64(c-'0')
	}
	if len(digits) == 0 {
		v.length = -1
	}
}

// judgeHost applies RFC 9112 3.2: one valid Host at most, and on HTTP/1.1 at
// least one. A target that names the host decides alone; then net/http
// ignores a Host that differs, and one that is unusable or missing is
// replaced rather than refused.
func (v *verdict) judgeHost() {
	if v.hosts > 1 {
		v.refuse(malformed(detailTwoHosts))
		return
	}
	valid := len(v.hostValue) == 0 || validAuthority(v.hostValue, false)
	if v.form == absoluteForm || v.form == authorityForm {
		if !valid {
			v.fix |= dropHost
		}
		if v.hosts == 0 && !v.http10 || !valid {
			v.fix |= addHost
		}
		return
	}
	switch {
	case !valid:
		v.refuse(malformed(detailHost))
	case v.hosts == 0 && !v.http10:
		v.refuse(malformed(detailNoHost))
	}
	v.host = v.hostValue
}

// judgeFraming decides how long the body is (RFC 9112 6.3), taking nothing
// ambiguous. A CONNECT has no body whatever it says: Axis and WinHTTP send a
// Content-Length with none behind it.
func (v *verdict) judgeFraming(bodyBytes int64) {
	if v.form == authorityForm {
		if v.lengths > 0 || v.codings > 0 {
			v.fix |= dropFraming
		}
		v.length, v.chunked = 0, false
		return
	}
	switch {
	case v.codings > 0 && v.http10:
		v.refuse(malformed(detailTE10))
	case v.codings > 0 && v.lengths > 0:
		v.refuse(malformed(detailLengthAndTE))
	case v.codings > 1 || v.codings == 1 && !v.chunked:
		v.refuse(malformed(detailTE))
	case v.lengths > 1:
		v.refuse(malformed(detailTwoLengths))
	case v.length < 0:
		v.refuse(malformed(detailLength))
	case bodyBytes > 0 && v.length > bodyBytes:
		v.refuse(tooLarge(http.StatusRequestEntityTooLarge, detailBodyTooLarge))
	}
}

// overlong is the refusal of a head over its limit, complete or not: 414 when
// the request line alone is over.
func overlong(head []byte, limit int) *Refusal {
	if i := bytes.IndexByte(head, '\n'); i < 0 || i >= limit {
		return tooLarge(http.StatusRequestURITooLong, detailTargetTooLong)
	}
	return tooLarge(http.StatusRequestHeaderFieldsTooLarge, detailHeadTooLarge)
}

// late is the refusal of a head that did not arrive in time.
func late() *Refusal {
	return &Refusal{Reason: problem.ClientTimeout, Status: http.StatusRequestTimeout, Detail: detailHeadTimeout}
}

// headEnd returns the length of the head at the start of b, its empty line
// included, or 0 when it is not complete. from is where to go on looking: it
// is advanced, so that a head that drips in is looked at once, not once a byte.
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
