package e2e

import (
	"fmt"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestMethods: what our hosts are called by is a closed set. Old clients write
// get and post; any other word ends the connection and is not repeated.
func TestMethods(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "")
	for _, w := range ways {
		for method, want := range map[string]string{
			"GET": "GET", "HEAD": "HEAD", "POST": "POST", "PUT": "PUT", "DELETE": "DELETE", "OPTIONS": "OPTIONS", "PATCH": "PATCH",
			"get": "GET", "Post": "POST",
			"put": "", "PROPFIND": "", "M-SEARCH": "", "8861POST": "", "POST8861": "", strings.Repeat("A", 40): "",
		} {
			t.Run(w.name+" "+method, func(t *testing.T) {
				p := p.In(t)
				path := fmt.Sprintf("/methods/%s/%s", strings.ReplaceAll(w.name, " ", "-"), method)
				in := w.open(t, p)
				mark, before := p.Mark(), server.Count()
				answer := in.Send(w.request(method, path+"?a=b", lines("Content-Length: 0"), "")).Answer(strings.ToUpper(method))
				if want != "" {
					p.WaitLogAfter(mark, harness.Match{"msg": "request", "method": want, "path": path, "error": ""})
					if got := server.Requests(); answer.Problem() != "" || !strings.HasPrefix(string(got[len(got)-1].Raw), want+" "+path) {
						t.Errorf("answered %d %q", answer.StatusCode, answer.Problem())
					}
					return
				}
				if answer.StatusCode != 501 || answer.Problem() != "method" || answer.Delivery() != "not_sent" || !answer.Close {
					t.Errorf("answered %d %q %q", answer.StatusCode, answer.Problem(), answer.Delivery())
				}
				in.ExpectClosed()
				p.WaitLogAfter(mark, harness.Match{"msg": "request", "method": "_other", "path": "", "status": 501, "error": "method", "delivery": "not_sent", "decision": "refuse"})
				if server.Count() != before {
					t.Error("it was sent")
				}
			})
		}
	}
	p.WaitMetric(24, "tlslift_denied_total", "reason", "method")
}

// TestForeignMethods pass as they are, and only the log does not repeat them.
func TestForeignMethods(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	foreign := startForeign(t)
	for method, passes := range map[string]bool{
		"GET": true, "get": true, "PROPFIND": true, "M-SEARCH": true, "CCM_POST": true, strings.Repeat("A", 32): true,
		strings.Repeat("A", 33): false, "8861POST": false,
	} {
		mark, before := p.Mark(), foreign.count()
		c := dial(t, p).Send(method + " http://" + foreign.host() + "/a HTTP/1.1\r\nHost: x\r\n\r\n")
		answer := c.Answer("GET")
		if passes {
			if answer.StatusCode != 200 || !strings.HasPrefix(foreign.heads[before], method+" /a HTTP/1.1\r\n") {
				t.Errorf("%s: %d, received %q", method, answer.StatusCode, foreign.heads[before])
			}
			word := "_other"
			if strings.EqualFold(method, "GET") {
				word = "GET"
			}
			p.WaitLogAfter(mark, harness.Match{"msg": "request", "method": word, "path": "/a", "decision": "pass"})
			continue
		}
		if answer.StatusCode != 501 || answer.Problem() != "method" || foreign.count() != before {
			t.Errorf("%s: %d %q", method, answer.StatusCode, answer.Problem())
		}
		c.ExpectClosed()
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "method": "_other", "path": "", "error": "method"})
	}
}

// TestTailsOfMessages: callers that count characters instead of bytes leave the
// end of a message behind, which the next request begins with. It reaches neither
// the log, nor the metrics, nor the upstream.
func TestTailsOfMessages(t *testing.T) {
	t.Parallel()
	for i, tail := range []string{
		"8861",                   // a PIN before the method
		"PIN8861",                //
		"PIN 8861",               // the method is a word of its own
		"PIN /27829876543/8861",  // and is followed by what looks like a path
		"a /27829876543 8861 ",   //
		"PIN http://8861.test/a", // or like a URL
		"8861-the-end-of-a-text-that-is-longer-than-any-method",
		"PIN-8861\r\n",
		"27829876543: 8861\r\n\r\n",
	} {
		for _, w := range ways {
			t.Run(fmt.Sprintf("%s %d", w.name, i), func(t *testing.T) { // not by the tail: it would be in the path of the configuration, which the page shows
				t.Parallel()
				server, p := portal(t, smsportal.Options{}, "")
				in := w.open(t, p)
				in.Send(w.request("POST", "/first", lines("Content-Length: 4"), "data"+tail)).Answer("POST")
				answer, err := in.Send(w.request("POST", "/api5/http5.aspx", lines("Content-Length: 4"), "data")).TryAnswer("POST")
				if err != nil || answer.StatusCode != 501 && answer.StatusCode != 400 || answer.Delivery() != "not_sent" || !answer.Close {
					t.Errorf("answered %d %q, %v", answer.StatusCode, answer.Problem(), err)
				}
				in.ExpectClosed()
				p.WaitMetric(1, "tlslift_denied_total")
				for _, r := range server.Requests() {
					if r.Target != "/first" {
						t.Errorf("the upstream received %q", r.Raw)
					}
				}
				secrets := harness.Secrets{"8861", "27829876543", "PIN"}
				secrets.Search(t, "our answer", answer.Raw)
				for _, path := range []string{"/", "/metrics", "/api/v1/clients"} {
					_, body := p.Get(path)
					harness.Secrets{"27829876543", "8861POST", "PIN"}.Search(t, "the admin listener's "+path, body)
				}
				for _, line := range p.Lines(0, harness.Match{"msg": "request"}) {
					text := fmt.Sprint(line["method"], line["path"], line["host"], line["detail"], line["api_type"])
					secrets.Search(t, "the log", text)
				}
			})
		}
	}
}

// TestWhatIsNoRequestHasNoMethod: the log says nothing of a method and a path that
// nobody sent.
func TestWhatIsNoRequestHasNoMethod(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "")
	for _, c := range []struct{ in, method, detail string }{
		{"hello\r\n\r\n", "_other", "malformed request line"},
		{"hello world\r\n\r\n", "_other", "HTTP version is neither 1.0 nor 1.1"},
		{"G(T /a HTTP/1.1\r\n\r\n", "_other", "malformed method"},
		{"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "malformed request target"},
		{"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", "GET", "control character in the request target"},
	} {
		mark := p.Mark()
		answer := dial(t, p).Send(c.in).Answer("GET")
		if answer.StatusCode != 400 || answer.Problem() != "malformed" || answer.Delivery() != "not_sent" {
			t.Errorf("%q: %d %s", c.in, answer.StatusCode, answer.Text)
		}
		p.WaitLogAfter(mark, harness.Match{"msg": "request", "method": c.method, "path": "", "error": "malformed", "detail": c.detail})
	}
}
