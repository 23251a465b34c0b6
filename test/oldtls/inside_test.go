package oldtls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// everyWay runs a test in each old version and way in, on one stage.
func everyWay(t *testing.T, s *stage, test func(t *testing.T, s *stage, c secured)) {
	t.Helper()
	for _, w := range ways {
		for _, version := range oldVersions {
			t.Run(w.name+" "+words[version], func(t *testing.T) {
				t.Parallel()
				s := s.in(t)
				test(t, s, s.hello(t, w, legacy, speaking(version, s.ours, legacy)))
			})
		}
	}
}

// TestRequestsInsideOldTLS: what callers say inside is understood as it is
// outside.
func TestRequestsInsideOldTLS(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	form := func(id string) string {
		return "Type=sendparam&Username=u&Password=p&numto=27820000001&data1=hello&customerid=" + id
	}
	everyWay(t, s, func(t *testing.T, s *stage, c secured) {
		id := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
		post := func(id, head, body string) string {
			return "POST /api5/http5.aspx HTTP/1.1\r\nHost: " + legacy + "\r\nContent-Type: application/x-www-form-urlencoded\r\n" + head + "\r\n\r\n" + body
		}
		chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(form(id+"-chunked")), form(id+"-chunked"))
		for name, request := range map[string]string{
			"get":       ask(legacy, "/api5/http5.aspx?"+form(id+"-get")),
			"absolute":  "GET https://" + legacy + "/api5/http5.aspx?" + form(id+"-absolute") + " HTTP/1.1\r\nHost: proxy\r\n\r\n",
			"absolute2": "GET http://" + legacy + ":443/api5/http5.aspx?" + form(id+"-absolute2") + " HTTP/1.1\r\nHost: proxy\r\n\r\n",
			"kept10":    "GET /api5/http5.aspx?" + form(id+"-kept10") + " HTTP/1.0\r\nHost: " + legacy + "\r\nConnection: keep-alive\r\n\r\n",
			"spaces":    "GET /api5/http5.aspx?" + strings.Replace(form(id+"-spaces"), "hello", "hello world", 1) + " HTTP/1.1\r\nHost: " + legacy + "\r\n\r\n",
			"post":      post(id, fmt.Sprintf("Content-Length: %d", len(form(id+"-post"))), form(id+"-post")),
			"expect":    post(id, fmt.Sprintf("Expect: 100-continue\r\nContent-Length: %d", len(form(id+"-expect"))), form(id+"-expect")),
			"chunked":   post(id, "Transfer-Encoding: chunked", chunked),
		} {
			answer := c.Send(request).Answer("GET")
			if answer.StatusCode != 200 || !strings.Contains(answer.Text, "<msgs_success>1</msgs_success>") {
				t.Errorf("%s: %d %s", name, answer.StatusCode, answer.Text)
			}
			if name == "kept10" && (answer.Proto != "HTTP/1.0" || answer.TransferEncoding != nil) {
				t.Errorf("HTTP/1.0 was answered %s %v", answer.Proto, answer.TransferEncoding)
			}
			if n := s.sent(id + "-" + name); n != 1 {
				t.Errorf("%s was sent %d times", name, n)
			}
		}
		answer := c.Send("GET " + credits + " HTTP/1.0\r\n\r\n").Answer("GET")
		if answer.StatusCode != 200 || answer.TransferEncoding != nil || !answer.Close {
			t.Errorf("HTTP/1.0 without a Host: %d, %v", answer.StatusCode, answer.TransferEncoding)
		}
		c.ExpectClosed()
	})
}

func (s *stage) sent(id string) int {
	total := 0
	for message, n := range s.portal.Sends() {
		if message.CustomerID == id {
			total += n
		}
	}
	return total
}

// TestKeptConnection carries request after request, and large answers among
// them.
func TestKeptConnection(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB
	s := start(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		if r.Target == "/large" {
			return smsportal.Response{Body: []byte(large)}, true
		}
		return smsportal.Response{Body: []byte(r.Target + " " + string(r.Body))}, true
	}}, "")
	everyWay(t, s, func(t *testing.T, _ *stage, c secured) {
		for n := range 50 {
			body := strings.Repeat("b", n*100)
			answer := c.Send(fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", n, legacy, len(body), body)).Answer("POST")
			if want := fmt.Sprintf("/%d %s", n, body); answer.Text != want {
				t.Fatalf("request %d: %.100q", n, answer.Text)
			}
		}
		if answer := c.Send(ask(legacy, "/large")).Answer("GET"); answer.Text != large {
			t.Errorf("%d of %d bytes, or others", len(answer.Text), len(large))
		}
	})
}

// TestAmbiguousHeadsInsideOldTLS are refused there as anywhere else.
func TestAmbiguousHeadsInsideOldTLS(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	host := "Host: " + legacy + "\r\n"
	for name, request := range map[string]string{
		"two lengths":           "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"length and chunked":    "POST / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"folded":                "GET / HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n",
		"NUL":                   "GET / HTTP/1.1\r\n" + host + "X: a\x00b\r\n\r\n",
		"two hosts":             "GET / HTTP/1.1\r\n" + host + host + "\r\n",
		"unknown coding":        "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked at 1.0":        "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"signed length":         "POST / HTTP/1.1\r\n" + host + "Content-Length: +1\r\n\r\nx",
		"space before colon":    "GET / HTTP/1.1\r\n" + host + "Content-Length : 0\r\n\r\n",
		"not HTTP":              "EHLO example.test\r\n\r\n",
		"another ClientHello":   string(spelled{version: tls.VersionTLS12, suites: plainSuites, sni: legacy}.wire()) + "\r\n\r\n",
		"PRI of HTTP/2":         "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"a control in the path": "GET /\x01 HTTP/1.1\r\n" + host + "\r\n",
	} {
		for _, w := range ways {
			t.Run(name+" "+w.name, func(t *testing.T) {
				t.Parallel()
				c := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
				answer := c.Send(request).Answer("GET")
				if answer.StatusCode != 400 || answer.Problem() != "malformed" || answer.Delivery() != "not_sent" {
					t.Errorf("%d %s %s", answer.StatusCode, answer.Problem(), answer.Delivery())
				}
				c.ExpectClosed()
			})
		}
	}
	t.Cleanup(func() {
		if n := s.portal.Count(); n != 0 {
			t.Errorf("%d requests went up", n)
		}
	})
}

// TestTunnelInsideOldTLS: a CONNECT inside is no way out.
func TestTunnelInsideOldTLS(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	everyWay(t, s, func(t *testing.T, _ *stage, c secured) {
		answer := c.Send("CONNECT " + api + ":443 HTTP/1.1\r\nHost: " + api + "\r\n\r\n").Answer("GET")
		if answer.StatusCode != 501 || answer.Problem() != "method" {
			t.Errorf("%d %s", answer.StatusCode, answer.Problem())
		}
	})
}

// TestDrainOfOldConnections: what is in flight is answered, what is idle is
// ended as TLS ends (RFC 5246 7.2.1), and the process goes.
func TestDrainOfOldConnections(t *testing.T) {
	t.Parallel()
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	s := start(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		if r.Target == "/slow" {
			arrived <- struct{}{}
			<-release
		}
		return smsportal.Response{Body: []byte("done")}, true
	}}, "")
	var idle, busy []secured
	for _, w := range ways {
		i, b := s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy)), s.hello(t, w, legacy, speaking(tls.VersionTLS10, s.ours, legacy))
		i.Send(ask(legacy, "/")).Answer("GET")
		b.Send(ask(legacy, "/slow"))
		<-arrived
		idle, busy = append(idle, i), append(busy, b)
	}
	s.Signal(syscall.SIGTERM)
	for _, c := range idle {
		_ = c.tls.SetDeadline(time.Now().Add(harness.Patience))
		if n, err := c.tls.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("an idle connection: %d, %v", n, err)
		}
	}
	close(release)
	for _, c := range busy {
		if answer := c.Answer("GET"); answer.Text != "done" {
			t.Errorf("in flight: %d %q", answer.StatusCode, answer.Text)
		}
		c.ExpectClosed()
	}
	if code := s.Wait(); code != 0 {
		t.Errorf("exit status %d", code)
	}
}
