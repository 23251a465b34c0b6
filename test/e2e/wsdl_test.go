package e2e

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"net/http"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestWSDL: a SOAP program reads the description of the service first, and
// calls the address in it. That has to be one that leads here again.
func TestWSDL(t *testing.T) {
	t.Parallel()
	for coding, pack := range map[string]func(string) string{"": nil, "gzip": gzipped, "deflate": deflated} {
		t.Run("coding "+coding, func(t *testing.T) {
			t.Parallel()
			document := string(wsdlOf(t))
			_, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
				h := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Etag": {`"1"`}, "Content-Md5": {"x"}}
				body := document
				if pack != nil {
					body = pack(document)
					h.Set("Content-Encoding", coding)
				}
				return smsportal.Response{Header: h, Body: []byte(body)}, true
			}}, withDefault)
			const request = "GET %/api5/api.asmx?wsdl HTTP/1.1\r\nHost: #\r\nAccept-Encoding: gzip, deflate\r\n\r\n"
			for _, c := range []struct{ listener, target, host, want string }{
				{p.ListenAddr(0), "http://api.smsportal.com", "api.smsportal.com", "http://api.smsportal.com/api5/api.asmx"},
				{p.ListenAddr(0), "", "api.smsportal.com", "http://api.smsportal.com/api5/api.asmx"},
				{p.ListenAddr(0), "/api.smsportal.com", "tlslift:3128", "http://tlslift:3128/api.smsportal.com/api5/api.asmx"},
				{p.ListenAddr(1), "", "tlslift", "http://tlslift/api5/api.asmx"},
			} {
				answer := harness.Dial(t, c.listener).Send(strings.NewReplacer("%", c.target, "#", c.host).Replace(request)).Answer("GET")
				want := strings.Replace(document, "https://api.smsportal.com/api5/api.asmx", c.want, 1)
				if answer.StatusCode != 200 || answer.Text != want || answer.Header.Get("Content-Encoding") != "" || answer.Header.Get("Etag") != `W/"1"` || answer.Header.Get("Content-Md5") != "" {
					t.Errorf("%s, Host %s: %d %v\n%s\nwant\n%s", c.target, c.host, answer.StatusCode, answer.Header, answer.Text, want)
				}
			}
			p.WaitMetric(4, "tlslift_rewrites_total", "kind", "wsdl")
		})
	}
}

// TestWSDLConditionally: a toolchain that has a description asks whether it has
// changed, by the tag that it was given.
func TestWSDLConditionally(t *testing.T) {
	t.Parallel()
	document := wsdlOf(t)
	_, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		h := http.Header{"Content-Type": {"text/xml"}, "Etag": {`"1"`}}
		if r.Header.Get("If-None-Match") == `W/"1"` { // RFC 9110 13.1.2: compared weakly
			return smsportal.Response{Status: 304, Header: h}, true
		}
		return smsportal.Response{Header: h, Body: document}, true
	}}, "")
	c := dial(t, p)
	const request = "GET /api5/api.asmx?wsdl HTTP/1.1\r\nHost: api.smsportal.com\r\n"
	tag := c.Send(request + "\r\n").Answer("GET").Header.Get("Etag")
	if answer := c.Send(request + "If-None-Match: " + tag + "\r\n\r\n").Answer("GET"); answer.StatusCode != 304 || answer.Text != "" {
		t.Errorf("%s: %d %s", tag, answer.StatusCode, answer.Text)
	}
}

// wsdlOf is what the pretend SMSPortal describes its service by.
func wsdlOf(t *testing.T) []byte {
	_, p := portal(t, smsportal.Options{}, "rewrite: {wsdl: false}")
	answer := p.Ask("GET http://api.smsportal.com/api5/api.asmx?wsdl HTTP/1.1\r\nHost: x\r\n\r\n")
	if !strings.Contains(answer.Text, `location="https://api.smsportal.com/api5/api.asmx"`) {
		t.Fatalf("rewritten although that is off: %s", answer.Text)
	}
	return []byte(answer.Text)
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// TestWSDLThatStays: what is no WSDL, is one that cannot be held or read, or is
// part of one, passes byte for byte; a WSDL that stays is told.
func TestWSDLThatStays(t *testing.T) {
	t.Parallel()
	document := string(wsdlOf(t))
	large := strings.Replace(document, "<wsdl:types>", "<!--"+strings.Repeat("x", 80<<10)+"--><wsdl:types>", 1)
	late := strings.Replace(document, "<wsdl:definitions", "<!--"+strings.Repeat("x", 66<<10)+"--><wsdl:definitions", 1)
	quoted := "<api_result><data>" + strings.TrimPrefix(document, `<?xml version="1.0" encoding="UTF-8"?>`) + "</data></api_result>"
	for name, c := range map[string]struct {
		method, kind, coding, body string
		status                     int
		skipped                    float64
	}{
		"quoted in an answer":  {"GET", "text/xml", "", quoted, 200, 0},
		"not XML":              {"GET", "text/html", "", document, 200, 0},
		"a part":               {"GET", "text/xml", "", document, 206, 0},
		"of a POST":            {"POST", "text/xml", "", document, 200, 0},
		"too large":            {"GET", "text/xml", "", large, 200, 1},
		"too large inflated":   {"GET", "text/xml", "gzip", gzipped(large), 200, 1},
		"broken":               {"GET", "text/xml", "", document[:len(document)-20], 200, 1},
		"cut within the gzip":  {"GET", "text/xml", "gzip", gzipped(document)[:len(gzipped(document))-8], 200, 1},
		"not gzip":             {"GET", "text/xml", "gzip", "no", 200, 1},
		"an unknown coding":    {"GET", "text/xml", "br", "no", 200, 1},
		"a long comment first": {"GET", "text/xml", "", late, 200, 1},
		"an empty answer":      {"GET", "text/xml", "", "", 200, 0},
		"a large other answer": {"GET", "text/xml", "", "<a>" + strings.Repeat("x", 80<<10) + "</a>", 200, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
				h := http.Header{"Content-Type": {c.kind}, "Etag": {`"1"`}}
				if c.coding != "" {
					h.Set("Content-Encoding", c.coding)
				}
				return smsportal.Response{Status: c.status, Header: h, Body: []byte(c.body)}, true
			}}, "limits: {response_buffer: 64KiB}")
			answer := dial(t, p).Send(c.method + " /api5/api.asmx?wsdl HTTP/1.1\r\nHost: api.smsportal.com\r\nContent-Length: 0\r\n\r\n").Answer(c.method)
			if answer.StatusCode != c.status || answer.Text != c.body || answer.Header.Get("Etag") != `"1"` || answer.Header.Get("Content-Encoding") != c.coding {
				t.Errorf("%d %v, %d bytes of %d", answer.StatusCode, answer.Header, len(answer.Text), len(c.body))
			}
			m := p.Metrics()
			if got := m.Sum("tlslift_rewrites_total", "kind", "wsdl_skipped"); got != c.skipped || m.Sum("tlslift_rewrites_total", "kind", "wsdl") != 0 {
				t.Errorf("wsdl_skipped %v, want %v", got, c.skipped)
			}
			if c.skipped > 0 {
				p.WaitLog(harness.Match{"level": "warn", "host": "api.smsportal.com", "path": "/api5/api.asmx"})
			}
		})
	}
}
