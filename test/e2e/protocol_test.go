package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestHTTP10Callers get what HTTP/1.0 can read: no chunks, a connection that
// closes unless they asked to keep it.
func TestHTTP10Callers(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Script: func(x *fault.Exchange) fault.Action {
		if strings.Contains(x.Seen.Target, "chunked") {
			return fault.Raw("chunked", "HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", fault.Close)
		}
		return fault.Answer("plain")
	}})
	p := harness.Start(t, harness.Options{Upstream: server})
	for _, w := range ways {
		for path, want := range map[string]string{"/plain": "plain", "/chunked": "abcde"} {
			t.Run(w.name+" "+path, func(t *testing.T) {
				in := w.open(t, p).Send(strings.Replace(w.request("GET", path, "", ""), "HTTP/1.1", "HTTP/1.0", 1))
				answer := in.Answer("GET")
				if answer.Text != want || len(answer.TransferEncoding) != 0 || answer.Header.Get("Transfer-Encoding") != "" {
					t.Errorf("%q %v", answer.Text, answer.TransferEncoding)
				}
				in.ExpectClosed()
			})
		}
		t.Run(w.name+" keep-alive", func(t *testing.T) {
			in := w.open(t, p)
			for range 3 {
				request := strings.Replace(w.request("GET", "/plain", lines("Connection: keep-alive"), ""), "HTTP/1.1", "HTTP/1.0", 1)
				answer := in.Send(request).Answer("GET")
				if answer.Text != "plain" || !strings.EqualFold(answer.Header.Get("Connection"), "keep-alive") {
					t.Errorf("%q, Connection %q", answer.Text, answer.Header.Get("Connection"))
				}
			}
		})
	}
	t.Run("Proxy-Connection keeps, as its senders expect", func(t *testing.T) {
		in := dial(t, p)
		for range 2 {
			answer := in.Send("GET " + api + "/plain HTTP/1.0\r\nProxy-Connection: keep-alive\r\n\r\n").Answer("GET")
			if !strings.EqualFold(answer.Header.Get("Connection"), "keep-alive") {
				t.Errorf("kept without saying so: %q", answer.Raw)
			}
		}
	})
}

// TestDefaultUpstream is for those who name no host at all.
func TestDefaultUpstream(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', default_upstream: legacy.mymobileapi.com}]")
	if answer := p.Ask("GET /a HTTP/1.0\r\n\r\n"); answer.Problem() != "" {
		t.Fatalf("%d %q", answer.StatusCode, answer.Problem())
	}
	if got := server.Requests()[0].Host(); got != "legacy.mymobileapi.com" {
		t.Errorf("Host %q", got)
	}
}

// TestCallerThatHearsCloseDoesNotCloseTheUpstream: old callers connect anew
// for each request; the upstream's connection must outlive them.
func TestCallersConnectionIsNotTheUpstreams(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "upstream: {warm_connections: 0}")
	for i := range 5 {
		request := fmt.Sprintf("GET %s/%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", api, i)
		if i%2 == 1 {
			request = fmt.Sprintf("GET %s/%d HTTP/1.0\r\n\r\n", api, i)
		}
		p.Ask(request)
	}
	if n := server.Connections(); n != 1 {
		t.Errorf("%d upstream connections for 5 requests", n)
	}
}

// TestPipelining: answers in order, nothing lost, nothing doubled.
func TestPipelining(t *testing.T) {
	t.Parallel()
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			server, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
				return smsportal.Response{Body: []byte(r.Target + string(r.Body))}, true
			}}, "")
			var all strings.Builder
			const n = 20
			for i := range n {
				method, head, body := "GET", "", ""
				if i%2 == 1 {
					method, head, body = "POST", lines("Content-Length: 4"), "body"
				}
				all.WriteString(w.request(method, fmt.Sprintf("/%d?", i), head, body))
			}
			in := w.open(t, p).Send(all.String())
			for i := range n {
				want := fmt.Sprintf("/%d?", i)
				if i%2 == 1 {
					want += "body"
				}
				if answer := in.Answer("GET"); answer.Text != want {
					t.Fatalf("answer %d is %q", i, answer.Text)
				}
			}
			if server.Count() != n {
				t.Errorf("%d requests for %d", server.Count(), n)
			}
		})
	}
}

// TestExpect is answered here, at once, even for a one-byte POST, and not sent
// on.
func TestExpect(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			server.Reset()
			in := w.open(t, p).Send(w.request("POST", "/a", lines("Expect: 100-continue", "Content-Length: 1"), ""))
			if line := in.ReadLine(); line != "HTTP/1.1 100 Continue\r\n" {
				t.Fatalf("%q", line)
			}
			in.ReadLine()
			if answer := in.Send("x").Answer("POST"); answer.Problem() != "" {
				t.Errorf("%d %q", answer.StatusCode, answer.Problem())
			}
			got := server.Requests()
			if len(got) != 1 || string(got[0].Body) != "x" || got[0].Header.Get("Expect") != "" {
				t.Errorf("the upstream received %+v", got)
			}
		})
	}
	t.Run("the body comes unasked", func(t *testing.T) {
		if answer := p.Ask("POST " + api + "/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"); answer.Problem() != "" {
			t.Errorf("%d %q", answer.StatusCode, answer.Problem())
		}
	})
}

// TestBodilessAnswers keep the connection's framing.
func TestBodilessAnswers(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		switch r.Target {
		case "/204":
			return smsportal.Response{Status: 204}, true
		case "/304":
			return smsportal.Response{Status: 304, Header: http.Header{"Content-Length": {"10"}, "Etag": {`"e"`}}}, true
		default:
			return smsportal.Response{Header: http.Header{"Content-Length": {"1234"}}, Body: []byte(strings.Repeat("x", 1234))}, true
		}
	}}, "")
	in := dial(t, p)
	for range 2 {
		for _, tt := range []struct {
			method, path, length string
			status, body         int
		}{
			{"HEAD", "/head", "1234", 200, 0},
			{"GET", "/204", "", 204, 0},
			{"GET", "/304", "", 304, 0},
			{"GET", "/200", "1234", 200, 1234},
		} {
			answer := in.Send(tt.method + " " + tt.path + " HTTP/1.1\r\nHost: api.smsportal.com\r\n\r\n").Answer(tt.method)
			if answer.StatusCode != tt.status || len(answer.Text) != tt.body || tt.length != "" && answer.Header.Get("Content-Length") != tt.length {
				t.Errorf("%s %s: %d, length %q, %d bytes", tt.method, tt.path, answer.StatusCode, answer.Header.Get("Content-Length"), len(answer.Text))
			}
		}
	}
}

// TestBigAnswersStream: beyond the buffer the caller gets bytes before the
// upstream is done.
func TestBigAnswersStream(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 256<<10) // 4 MiB
	_, p := portal(t, smsportal.Options{Override: func(*smsportal.Request) (smsportal.Response, bool) {
		return smsportal.Response{Body: []byte(big)}, true
	}}, "")
	for _, w := range ways {
		answer := w.open(t, p).Send(w.request("GET", "/big", "", "")).Answer("GET")
		if answer.Text != big {
			t.Errorf("%s: %d of %d bytes, or others", w.name, len(answer.Text), len(big))
		}
	}
}

// TestUnknownLengthIsFlushed: beyond the buffer a stream's next bytes do not
// wait for more. The last of them fill no buffer on their way.
func TestUnknownLengthIsFlushed(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	first := strings.Repeat("x", 2<<20+100)
	server := startFault(t, fault.Options{Script: fault.Always(fault.ChunksAround(first, release, "the end"))})
	p := harness.Start(t, harness.Options{Upstream: server})
	stream := dial(t, p).Send("GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n").Stream("GET")
	if n, err := io.ReadFull(stream.Body, make([]byte, len(first))); err != nil {
		t.Fatalf("%d of the first %d bytes came while the rest was awaited: %v", n, len(first), err)
	}
	close(release)
	if rest, err := io.ReadAll(stream.Body); err != nil || string(rest) != "the end" {
		t.Errorf("the rest is %.100q, %v", rest, err)
	}
}

// TestKeepAlive: fifty requests on one connection, every way in.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for _, w := range ways {
		in := w.open(t, p)
		for i := range 50 {
			if answer := in.Send(w.request("GET", sendPath(fmt.Sprintf("%s%d", w.name[:3], i)), "", "")).Answer("GET"); answer.StatusCode != 200 {
				t.Fatalf("%s, request %d: %d %q", w.name, i, answer.StatusCode, answer.Problem())
			}
		}
	}
	if len(server.Doubles()) != 0 && len(server.Requests()) != 200 {
		t.Errorf("%d requests, doubles %v", len(server.Requests()), server.Doubles())
	}
}

// TestProxyProtocol: required from those named, an error from others.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "listen: [{address: '127.0.0.1:0', proxy_protocol_from: [127.0.0.1/32]}]")
	request := "GET " + api + "/a HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, preface := range map[string]string{
		"v1": "PROXY TCP4 203.0.113.7 127.0.0.1 4242 80\r\n",
		"v2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x10\x92\x00\x50",
	} {
		mark := p.Mark()
		if answer := dial(t, p).Send(preface + request).Answer("GET"); answer.Problem() != "" {
			t.Errorf("%s: %d %q", name, answer.StatusCode, answer.Problem())
		}
		if line := p.WaitLogAfter(mark, harness.Match{"msg": "request"}); !strings.HasPrefix(line.String("client_addr"), "203.0.113.7") {
			t.Errorf("%s: client_addr %q", name, line.String("client_addr"))
		}
	}
	_, plain := portal(t, smsportal.Options{}, "")
	for _, c := range []struct {
		name, sent   string
		p            *harness.Process
		says, detail string
	}{
		{"without the preface", request, p, "This connection must begin with a PROXY protocol header, but does not.", "no PROXY protocol header from 127.0.0.1, which is in listen[].proxy_protocol_from"},
		{"malformed", "PROXY TCP4 nonsense\r\n" + request, p, "must begin with a PROXY protocol header", "a malformed PROXY protocol header from 127.0.0.1"},
		{"v1 from anybody", "PROXY TCP4 203.0.113.7 127.0.0.1 4242 80\r\n" + request, plain, "This connection begins with a PROXY protocol header, but its address is not allowed to send one.", "a PROXY protocol header from 127.0.0.1, which is not in listen[].proxy_protocol_from"},
		{"v2 from anybody", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x07\x7f\x00\x00\x01\x10\x92\x00\x50" + request, plain, "begins with a PROXY protocol header", "which is not in listen[].proxy_protocol_from"},
	} {
		mark := c.p.Mark()
		answer := dial(t, c.p).Send(c.sent).Answer("GET")
		if answer.StatusCode != 400 || answer.Problem() != "malformed" || !strings.Contains(answer.Text, c.says) {
			t.Errorf("%s: %d %q", c.name, answer.StatusCode, answer.Text)
		}
		if line := c.p.WaitLogAfter(mark, harness.Match{"msg": "request"}); !strings.Contains(line.String("detail"), c.detail) {
			t.Errorf("%s: logged %v", c.name, line)
		}
	}
}

// A caller that takes tlslift for a SOCKS proxy is told so at once, and its operator too.
func TestCallersThatSpeakSOCKS(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	for name, sent := range map[string]string{
		"SOCKS 4":                "\x04\x01\x01\xbb\x0a\x00\x00\x01user\x00",
		"SOCKS 4a":               "\x04\x01\x01\xbb\x00\x00\x00\x01\x00api.smsportal.com\x00",
		"SOCKS 5":                "\x05\x01\x00",
		"SOCKS 5, with password": "\x05\x02\x00\x02",
	} {
		mark := p.Mark()
		answer := dial(t, p).Send(sent).Answer("GET")
		if answer.StatusCode != 400 || answer.Problem() != "malformed" || !strings.Contains(answer.Text, "The client speaks SOCKS, and this is an HTTP proxy. Nothing was sent. Set it as the HTTP proxy of the client,") {
			t.Errorf("%s: %d %q", name, answer.StatusCode, answer.Text)
		}
		if line := p.WaitLogAfter(mark, harness.Match{"msg": "request"}); line.String("detail") != "the caller speaks SOCKS: set tlslift as its HTTP proxy, not as a SOCKS proxy" {
			t.Errorf("%s: logged %v", name, line)
		}
	}
}

// TestFailuresHaveALength: an HTTP/1.0 caller that keeps its connection can keep
// it past an answer of our own.
func TestFailuresHaveALength(t *testing.T) {
	t.Parallel()
	server := startFault(t, fault.Options{Script: fault.Always(fault.AfterRead(fault.Close))})
	p := harness.Start(t, harness.Options{Upstream: server})
	for _, version := range []string{"HTTP/1.0", "HTTP/1.1"} {
		in := dial(t, p)
		for range 2 {
			answer := in.Send("GET " + api + "/a " + version + "\r\nHost: www.mymobileapi.com\r\nConnection: keep-alive\r\n\r\n").Answer("GET")
			if answer.Problem() != "reset" || answer.Header.Get("Content-Length") == "" || len(answer.TransferEncoding) != 0 {
				t.Errorf("%s: %d %q, Content-Length %q, %v", version, answer.StatusCode, answer.Problem(), answer.Header.Get("Content-Length"), answer.TransferEncoding)
			}
		}
	}
}
