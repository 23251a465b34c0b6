package e2e

import (
	"net/http"
	"strings"
	"testing"

	"tlslift/test/smsportal"
)

// TestHopByHop: RFC 9110 7.6.1, both ways, those named in Connection first.
func TestHopByHop(t *testing.T) {
	t.Parallel()
	const named = "X-Named-In-Connection"
	reply := http.Header{
		"Connection":          {"keep-alive, " + named + ", x-second"},
		"Keep-Alive":          {"timeout=5"},
		named:                 {"secret of the hop"},
		"X-Second":            {"v"},
		"Proxy-Authenticate":  {"Basic"},
		"Proxy-Connection":    {"keep-alive"},
		"Te":                  {"trailers"},
		"Trailer":             {"X-T"},
		"Upgrade":             {"h2c"},
		"Tlslift-Delivery":    {"not_sent"},
		"Tlslift-Error":       {"limit"},
		"X-End-To-End":        {"kept"},
		"Content-Type":        {"text/plain; charset=x"},
		"Set-Cookie":          {"a=b", "c=d"},
		"Etag":                {`"e"`},
		"Www-Authenticate":    {"Basic realm=x"},
		"Content-Disposition": {"attachment"},
	}
	server, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Header: reply, Body: []byte("ok")}, true
	}}, "")
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			server.Reset()
			answer := w.open(t, p).Send(w.request("POST", "/a", lines(
				"Connection: close, "+named+" ,TE", "connection: x-second", named+": v", "X-Second: v",
				"Proxy-Connection: keep-alive", "Proxy-Authorization: Basic dXNlcjpwYXNz", "Keep-Alive: 300",
				"TE: trailers", "Trailer: X-T", "Expect: 100-continue", "Content-Length: 2",
				"X-End-To-End: kept", "Tlslift-Delivery: unknown"), "hi")).Answer("POST")
			got := server.Requests()[0]
			for _, name := range []string{"Connection", "Keep-Alive", named, "X-Second", "Proxy-Connection", "Proxy-Authorization", "Te", "Trailer", "Upgrade", "Expect", "Transfer-Encoding"} {
				if values := got.Header[name]; len(values) != 0 {
					t.Errorf("the upstream received %s: %q", name, values)
				}
			}
			if got.Header.Get("X-End-To-End") != "kept" || string(got.Body) != "hi" {
				t.Errorf("the upstream received %v %q", got.Header, got.Body)
			}
			for _, name := range []string{"Keep-Alive", named, "X-Second", "Proxy-Authenticate", "Proxy-Connection", "Te", "Trailer", "Upgrade", "Tlslift-Delivery", "Tlslift-Error"} {
				if values := answer.Header[name]; len(values) != 0 {
					t.Errorf("the caller received %s: %q", name, values)
				}
			}
			for _, name := range []string{"X-End-To-End", "Content-Type", "Set-Cookie", "Etag", "Www-Authenticate", "Content-Disposition"} {
				if strings.Join(answer.Header[name], "|") != strings.Join(reply[name], "|") {
					t.Errorf("the caller received %s: %q, want %q", name, answer.Header[name], reply[name])
				}
			}
		})
	}
}

// TestConnectionCannotRemoveWhatMatters: naming Host or a length in Connection
// must not strip the request of it.
func TestConnectionCannotRemoveWhatMatters(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	p.Ask("POST " + api + "/a HTTP/1.1\r\nHost: x\r\nConnection: Host, Content-Length, Via\r\nContent-Length: 2\r\n\r\nhi")
	got := server.Requests()[0]
	if got.Host() != "api.smsportal.com" || string(got.Body) != "hi" {
		t.Errorf("the upstream received %q %q", got.Raw, got.RawBody)
	}
}

// TestAnswersForCallersThatSeeHTTP: what would send them to https, or keep
// their cookies from them, is rewritten; nothing else is.
func TestAnswersForCallersThatSeeHTTP(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, from, to string }{
		{"Location", "https://api.smsportal.com/b?c=d", "http://api.smsportal.com/b?c=d"},
		{"Location", "https://foreign.test/b", "https://foreign.test/b"},
		{"Location", "/relative", "/relative"},
		{"Content-Location", "https://rest.smsportal.com/x", "http://rest.smsportal.com/x"},
		{"Refresh", "5; url=https://api.smsportal.com/r", "5; url=http://api.smsportal.com/r"},
		{"Set-Cookie", "a=b; Path=/; Secure; HttpOnly", "a=b; Path=/; HttpOnly"},
		{"Set-Cookie", "a=b; SameSite=None; Secure", "a=b"},
		{"Strict-Transport-Security", "max-age=1", ""},
		{"Alt-Svc", `h3=":443"`, ""},
		{"X-Other", "https://api.smsportal.com/", "https://api.smsportal.com/"},
	}
	_, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		for _, row := range rows {
			if r.Header.Get("X-Row") == row.name+row.from {
				return smsportal.Response{Header: http.Header{row.name: {row.from}}, Body: []byte("ok")}, true
			}
		}
		return smsportal.Response{}, false
	}}, "")
	for _, row := range rows {
		for _, w := range ways {
			if w.prefix == "https://" {
				continue // a caller that writes https sees https
			}
			t.Run(row.name+" "+row.from+" "+w.name, func(t *testing.T) {
				answer := w.open(t, p).Send(w.request("GET", "/a", lines("X-Row: "+row.name+row.from), "")).Answer("GET")
				if got := strings.Join(answer.Header[http.CanonicalHeaderKey(row.name)], "|"); got != row.to {
					t.Errorf("%q became %q, want %q", row.from, got, row.to)
				}
			})
		}
	}
}
