package http1

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// FuzzAnswer holds that what http.ReadResponse understands, ReadAnswer
// understands in the same way, except where its comment says otherwise; that it
// does not matter how the bytes were cut; and that errors quote nothing.
func FuzzAnswer(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\ncontent-type: a/b\r\nContent-Length: 3\r\nSet-Cookie: a\r\nset-cookie: b\r\n\r\nabcleft", uint8(0), uint8(7))
	f.Add("HTTP/1.1 500\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", uint8(0), uint8(0))
	f.Add("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\nT: x\r\n\r\nleft", uint8(0), uint8(3))
	f.Add("HTTP/1.1 200  OK\r\nContent-Length:9\r\nX: \t\r\n\r\nabc", uint8(2), uint8(1))
	f.Add("HTTP/1.0 200 OK\nX: a\n b\n\tc\nConnection: close\n\nabc", uint8(1), uint8(9))
	f.Add("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\n", uint8(0), uint8(2))
	f.Add("http/1.1 200OK\r\nno colon\r\n: x\r\n y\r\nX(1): \xf6\r\nA B: c\r\nContent-Length: 3\r\n\r\nabcleft", uint8(0), uint8(5))
	f.Add("HTTP/1.1 200 OK\r\nContent Length: 3\r\nContent-Length 3\r\nTransfer(Encoding: chunked\r\n\r\nabc", uint8(0), uint8(5))
	f.Fuzz(func(t *testing.T, raw string, m, cut uint8) {
		method := []string{"GET", "HEAD", "POST"}[m%3]
		ours, framing, err := readAnswer(raw, method, len(raw)+1)
		pieces, framing2, err2 := readAnswer(raw, method, int(cut)+1)
		if !errors.Is(err2, err) || framing2 != framing || !ours.equal(&pieces) {
			t.Fatalf("whole: %v %+v\ncut to %d: %v %+v", err, ours, int(cut)+1, err2, pieces)
		}
		for _, err := range []error{err, ours.bodyErr} {
			switch err { //nolint:errorlint // none of them may be wrapped
			case nil, io.EOF, ErrMalformed, ErrTruncated, ErrHeadTooLarge:
			default:
				t.Fatalf("error %v", err)
			}
		}
		br := bufio.NewReaderSize(strings.NewReader(raw), smallBuffer)
		resp, theirErr := http.ReadResponse(br, &http.Request{Method: method})
		if theirErr != nil || resp.ProtoMajor != 1 || resp.StatusCode < 100 {
			return
		}
		theirs := asRead(resp, br)
		if err != nil {
			if !inDoubt(raw, &theirs) {
				t.Fatalf("%v, but net/http reads %+v", err, theirs)
			}
			return
		}
		compareAnswers(t, raw, &ours, &theirs)
	})
}

func (g *gotAnswer) equal(o *gotAnswer) bool {
	return g.proto == o.proto && g.status == o.status && g.coding == o.coding && g.code == o.code && g.length == o.length &&
		g.close == o.close && g.body == o.body && errors.Is(g.bodyErr, o.bodyErr) && (g.bodyErr != nil || g.rest == o.rest) &&
		maps.EqualFunc(g.header, o.header, slices.Equal[[]string])
}

var (
	foldedFraming = regexp.MustCompile(`(?i)(^|\n)(content-length|transfer-encoding)[ \t]*:[^\n]*\n[ \t]`)
	spacedFraming = regexp.MustCompile(`(?i)(^|\n)(content-length|transfer-encoding|connection)[ \t]+:`)
	coding        = regexp.MustCompile(`(?i)\ntransfer-encoding[ \t]*:`)
)

// inDoubt reports whether a documented rule refuses what net/http reads.
func inDoubt(raw string, theirs *gotAnswer) bool {
	return foldedFraming.MatchString(raw) || spacedFraming.MatchString(raw) || theirs.minor == 0 && coding.MatchString(raw) ||
		len(raw) > maxAnswerHead || slices.ContainsFunc(strings.Split(raw, "\n"), spacedLikeFraming)
}

// spacedLikeFraming reports whether a line, which net/http reads, has a name with
// spaces in it that could be meant as a framing field's.
func spacedLikeFraming(line string) bool {
	name, _, _ := strings.Cut(line, ":")
	return strings.Contains(strings.TrimSpace(name), " ") && likeFraming(line)
}

func compareAnswers(t *testing.T, raw string, ours, theirs *gotAnswer) {
	t.Helper()
	if spacedFraming.MatchString(raw) {
		return // we take what net/http ignores
	}
	for name := range theirs.header {
		if short := strings.TrimSpace(name); short != name { // net/http keeps the space
			delete(ours.header, http.CanonicalHeaderKey(short))
			delete(theirs.header, http.CanonicalHeaderKey(short))
		}
	}
	for _, g := range []*gotAnswer{ours, theirs} {
		for name, values := range g.header {
			if strings.Contains(name, " ") || name == "Trailer" || name == "Cache-Control" || name == "Pragma" || name == "Connection" {
				delete(g.header, name)
				continue
			}
			for i, v := range values {
				values[i] = strings.Join(strings.Fields(v), " ") // net/http keeps the space of an empty continuation
			}
		}
	}
	if ours.coding == "chunked" { // without a body, net/http keeps the Content-Length beside it
		delete(theirs.header, "Content-Length")
		if ours.length < 0 {
			theirs.length = ours.length
		}
	}
	if theirs.minor == 0 {
		theirs.coding = ours.coding // identity
	}
	if theirs.bodyErr != nil {
		ours.bodyErr, ours.body, ours.rest = theirs.bodyErr, theirs.body, theirs.rest // we may have read more
	}
	if !ours.equal(theirs) {
		t.Fatalf("ours     %+v\nnet/http %+v\nof %q", ours, theirs, raw)
	}
}
