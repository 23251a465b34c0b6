package interop

import (
	"fmt"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

const (
	host     = "http://www.mymobileapi.com"
	endpoint = host + "/api5/http5.aspx"
	form     = "Type=sendparam&Username=user&Password=secret&numto=27820000001&data1=hello%20world&customerid="
	kept     = 20 // requests of one process
)

var bigAnswer = strings.Repeat("0123456789abcdef", 64<<10) // 1 MiB

// TestPlainCallers: each client, each shape of call, and always exactly one
// message sent.
func TestPlainCallers(t *testing.T) {
	server, err := smsportal.New(smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		switch {
		case strings.HasPrefix(r.Target, "/big"):
			return smsportal.Response{Body: []byte(bigAnswer)}, true
		case strings.Contains(r.Target, "customerid=die"), strings.Contains(string(r.Body), "customerid=die"), strings.Contains(string(r.Body), "\r\n\r\ndie"):
			return smsportal.Response{Raw: []byte{}}, true // closes without an answer
		default:
			return smsportal.Response{}, false
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := harness.Start(t, harness.Options{Upstream: server})
	base := call{proxy: p.Addr(), built: compile(t), count: 1}

	t.Run("clients", func(t *testing.T) {
		for _, c := range clients {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.need(t)
				trial{c, base, server}.all(t)
			})
		}
	})
	if doubles := server.Doubles(); len(doubles) != 0 {
		t.Errorf("sent twice: %v", doubles)
	}
	if got := p.Metrics().Sum("tlslift_client_requests_total", "tls_version", "none", "insecure", "true"); got == 0 {
		t.Error("the metrics know of no insecure request")
	}
}

type trial struct {
	client client
	base   call
	server *smsportal.Server
}

func (tr trial) all(t *testing.T) {
	id := strings.NewReplacer(" ", "-", ",", "", ":", "", "/", "").Replace(tr.client.name)
	if !tr.client.posts {
		tr.sends(t, "GET", id+"-get")
		tr.sends(t, "GET", id+"-kept-get-{n}")
		tr.dies(t, "GET", "die-get-"+id)
		if tr.client.raw {
			tr.rawSpaces(t, id+"-raw")
		}
		tr.big(t)
	}
	tr.sends(t, "POST", id+"-post")
	tr.sends(t, "POST", id+"-kept-post-{n}")
	tr.dies(t, "POST", "die-post-"+id)
}

// call spells a request that sends, in the query or in the form.
func (tr trial) call(method, id string) call {
	c := tr.base
	c.method = method
	c.url, c.body = endpoint+"?"+form+id, ""
	if method == "POST" {
		c.url, c.body = endpoint, form+id
	}
	if strings.Contains(id, "{n}") {
		c.count = kept
	}
	return c
}

// sends makes one request, or many of them, and wants each sent once.
func (tr trial) sends(t *testing.T, method, id string) {
	t.Helper()
	c := tr.call(method, id)
	output := tr.client.run(t, c)
	if n := strings.Count(output, "<result>True</result>"); n != c.count {
		t.Errorf("%s %s: %d of %d were answered: %.300s", method, id, n, c.count, output)
	}
	for i := range c.count {
		if n := tr.sent(numbered(id, i)); n != 1 {
			t.Errorf("%s %s: sent %d times", method, numbered(id, i), n)
		}
	}
}

func (tr trial) sent(id string) int {
	total := 0
	for message, n := range tr.server.Sends() {
		if message.CustomerID == id {
			total += n
		}
	}
	return total
}

// dies: the upstream reads the request and closes. The client must get a whole
// answer that it can parse, and must not send again.
func (tr trial) dies(t *testing.T, method, id string) {
	t.Helper()
	output := tr.client.run(t, tr.call(method, id))
	if !strings.Contains(output, "<api_result") || !strings.Contains(output, "<result>False</result>") {
		t.Errorf("%s %s: the client got %.300q", method, id, output)
	}
	if n := tr.sent(id); n != 1 {
		t.Errorf("%s %s: sent %d times", method, id, n)
	}
}

// rawSpaces: what the runtime does not escape, tlslift does.
func (tr trial) rawSpaces(t *testing.T, id string) {
	t.Helper()
	c := tr.call("GET", id)
	c.url = strings.ReplaceAll(c.url, "%20", " ")
	if output := tr.client.run(t, c); !strings.Contains(output, "<result>True</result>") {
		t.Errorf("raw spaces: %.300s", output)
	}
	want := "/api5/http5.aspx?" + form + id
	for _, r := range tr.server.Requests() {
		if r.Target == want {
			return
		}
	}
	t.Errorf("no request for %s arrived", want)
}

func (tr trial) big(t *testing.T) {
	t.Helper()
	c := tr.base
	c.method, c.url = "GET", host+"/big"
	output := tr.client.run(t, c)
	if output != bigAnswer {
		t.Errorf("%d of %d bytes arrived, or others", len(output), len(bigAnswer))
	}
}

// TestExpectIsAnsweredAtOnce makes sure that the client which stands in for .NET does
// what .NET does and gets its answer, with nothing of it sent on.
func TestExpectIsAnsweredAtOnce(t *testing.T) {
	server, err := smsportal.New(smsportal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := harness.Start(t, harness.Options{Upstream: server})
	for _, c := range clients {
		if c.name != "Mono WebClient" {
			continue
		}
		c.need(t)
		tr := trial{c, call{proxy: p.Addr(), built: compile(t), count: 1}, server}
		tr.sends(t, "POST", "expect")
		for _, r := range server.Requests() {
			if r.Header.Get("Expect") != "" {
				t.Error("Expect was sent on")
			}
		}
	}
}

// TestHTTP10ByHand: what Axis 1 and Synapse send.
func TestHTTP10ByHand(t *testing.T) {
	server, err := smsportal.New(smsportal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := harness.Start(t, harness.Options{Upstream: server})
	soap := `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><Credits_STR xmlns="http://www.mymobileapi.com/api5"><username>u</username><password>p</password></Credits_STR></soapenv:Body></soapenv:Envelope>`
	for name, tt := range map[string]struct{ request, contains string }{
		"Axis 1": {
			"POST " + host + "/api5/api.asmx HTTP/1.0\r\nContent-Type: text/xml; charset=utf-8\r\nAccept: application/soap+xml, application/dime, multipart/related, text/*\r\nUser-Agent: Axis/1.4\r\nHost: www.mymobileapi.com\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nSOAPAction: \"http://www.mymobileapi.com/api5/Credits_STR\"\r\nContent-Length: " + fmt.Sprint(len(soap)) + "\r\n\r\n" + soap,
			"Credits_STRResult",
		},
		"Synapse": {
			"GET " + endpoint + "?" + form + "synapse HTTP/1.0\r\nKeep-Alive: 300\r\nConnection: keep-alive\r\nHost: www.mymobileapi.com\r\nUser-Agent: Mozilla/4.0 (compatible; Synapse)\r\n\r\n",
			"<result>True</result>",
		},
		"nothing but a request line": {"GET " + endpoint + "?" + form + "bare HTTP/1.0\r\n\r\n", "<result>True</result>"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := p.Ask(tt.request)
			if answer.StatusCode != 200 || !strings.Contains(answer.Text, tt.contains) || len(answer.TransferEncoding) != 0 {
				t.Errorf("%d %s", answer.StatusCode, answer.Text)
			}
		})
	}
	if len(server.Doubles()) != 0 || len(server.Sends()) != 2 {
		t.Errorf("sends %v", server.Sends())
	}
}
