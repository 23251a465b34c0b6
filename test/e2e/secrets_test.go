package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tlslift/test/fault"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// What is planted. Each is unlike anything that may rightly be written.
const (
	plantedUser    = "planted-user-9f3a"
	plantedPass    = "Pl4nted&P@ss word"
	plantedNumber  = "27829876543"
	plantedMessage = "planted one time pin 774411"
	plantedToken   = "planted.jwt.token-8812"
	plantedCookie  = "planted-cookie-5521"
	plantedID      = "planted-customer-3371"
)

var planted = harness.Secrets{plantedUser, plantedPass, plantedNumber, plantedMessage, plantedToken, plantedCookie, plantedID}

// disclosure is a request full of secrets, in one of the shapes that real
// callers have; the target is without scheme and host.
type disclosure struct {
	name, method, target, headers, body string
}

func disclosures() []disclosure {
	form := url.Values{
		"Type": {"sendparam"}, "Username": {plantedUser}, "Password": {plantedPass},
		"numto": {plantedNumber}, "data1": {plantedMessage}, "customerid": {plantedID},
	}.Encode()
	rawQuery := "Type=sendparam&Username=" + plantedUser + "&Password=" + plantedPass + "&numto=" + plantedNumber + "&data1=" + plantedMessage
	xml := "<senddata><entries><numto>" + plantedNumber + "</numto><data1>" + plantedMessage + "</data1><customerid>" + plantedID + "</customerid></entries></senddata>"
	json := fmt.Sprintf(`{"messages":[{"content":%q,"destination":%q,"customerId":%q}]}`, plantedMessage, plantedNumber, plantedID)
	soap := "<Envelope><Body><Send_STR_STR><username>" + plantedUser + "</username><password>" + url.QueryEscape(plantedPass) + "</password><data>" + url.QueryEscape(xml) + "</data></Send_STR_STR></Body></Envelope>"
	basic := base64.StdEncoding.EncodeToString([]byte(plantedUser + ":" + plantedPass))
	const legacy = "/api5/http5.aspx"
	return []disclosure{
		{"query", "GET", legacy + "?" + form, "", ""},
		{"raw query", "GET", legacy + "?" + rawQuery, "", ""},
		{"query that cannot be parsed", "GET", legacy + "?a=%zz;Password=" + url.QueryEscape(plantedPass) + ";numto=" + plantedNumber, "", ""},
		{"query on POST", "POST", legacy + "?" + form, "", ""},
		{"query after a second question mark", "GET", legacy + "?x?" + form, "", ""},
		{"form", "POST", legacy, "Content-Type: application/x-www-form-urlencoded", form},
		{"xml in a form", "POST", legacy, "Content-Type: application/x-www-form-urlencoded", "Type=send&XMLData=" + url.QueryEscape(xml)},
		{"multipart", "POST", legacy, "Content-Type: multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"Password\"\r\n\r\n" + plantedPass + "\r\n--b--\r\n"},
		{"soap", "POST", "/api5/api.asmx", "Content-Type: text/xml", soap},
		{"json", "POST", "/v3/BulkMessages", "Content-Type: application/json\r\nAuthorization: Basic " + basic, json},
		{"bearer", "GET", "/v1/Balance", "Authorization: Bearer [" + plantedToken + "]", ""},
		{"bare base64", "GET", "/Authentication", "Authorization: " + basic, ""},
		{"cookie", "GET", "/a", "Cookie: session=" + plantedCookie, ""},
		{"other headers", "GET", "/a", "X-Password: " + plantedPass + "\r\nX-Api-Key: " + plantedToken + "\r\nReferer: http://x/?Password=" + plantedPass, ""},
		{"proxy credentials", "GET", "/a", "Proxy-Authorization: Basic " + basic, ""},
		{"path", "GET", "/send/" + plantedNumber + "/" + url.PathEscape(plantedMessage), "", ""},
		{"user agent", "GET", "/a", "User-Agent: app/" + plantedPass, ""},
		{"type", "GET", legacy + "?Type=" + plantedUser, "", ""},
		{"fragment", "GET", "/a#" + plantedToken, "", ""},
	}
}

func (d disclosure) spell(w way) string {
	head := ""
	if d.headers != "" {
		head = d.headers + "\r\n"
	}
	if d.body != "" || d.method == "POST" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(d.body))
	}
	return w.request(d.method, d.target, head, d.body)
}

// TestSecretsAreNeverWritten: every shape of request, every way in, on success
// and on every way to fail; then logs, metrics and everything the admin
// listener says are searched, and our own answers.
func TestSecretsAreNeverWritten(t *testing.T) {
	t.Parallel()
	scenes := map[string]func(t *testing.T) *harness.Process{
		"success": func(t *testing.T) *harness.Process {
			_, p := portal(t, smsportal.Options{}, "clients: {account: hash}")
			return p
		},
		"upstream says no": func(t *testing.T) *harness.Process {
			_, p := portal(t, smsportal.Options{Username: "other", Password: "other"}, "")
			return p
		},
		"upstream closes": func(t *testing.T) *harness.Process {
			return harness.Start(t, harness.Options{Upstream: startFault(t, fault502())})
		},
		"upstream babbles": func(t *testing.T) *harness.Process {
			echo := fault.Options{Script: func(x *fault.Exchange) fault.Action {
				return fault.Raw("echo", "BABBLE "+string(x.Seen.Raw), fault.Close)
			}}
			return harness.Start(t, harness.Options{Upstream: startFault(t, echo)})
		},
		"upstream stalls": func(t *testing.T) *harness.Process {
			return harness.Start(t, harness.Options{Upstream: startFault(t, fault.Options{Script: fault.Always(fault.Stall())}), Config: "upstream: {response_timeout: 50ms}"})
		},
		"upstream is not trusted": func(t *testing.T) *harness.Process {
			a, b := startFault(t, fault.Options{}), startFault(t, fault.Options{})
			return harness.Start(t, harness.Options{Upstream: stranger{a.Addr(), b.CAPEM()}})
		},
		"upstream is not there": func(t *testing.T) *harness.Process {
			gone := startFault(t, fault.Options{})
			_ = gone.Close()
			return harness.Start(t, harness.Options{Upstream: stranger{gone.Addr(), gone.CAPEM()}})
		},
		"host is refused": func(t *testing.T) *harness.Process {
			server := startPortal(t, smsportal.Options{})
			return harness.Start(t, harness.Options{Config: fmt.Sprintf("others: refuse\nupstreams: [{host: elsewhere.test, address: %q}]", server.Addr())})
		},
		"everything is too large": func(t *testing.T) *harness.Process {
			_, p := portal(t, smsportal.Options{}, "limits: {header_bytes: 1KiB, body_bytes: 1}")
			return p
		},
		"redirects with the query": func(t *testing.T) *harness.Process {
			_, p := portal(t, smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
				return smsportal.Response{Status: 302, Header: http.Header{"Location": {"https://api.smsportal.com" + strings.ReplaceAll(r.Target, " ", "%20")}}}, true
			}}, "")
			return p
		},
	}
	for scene, start := range scenes {
		t.Run(scene, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			for _, w := range ways {
				for _, d := range disclosures() {
					disclose(t, p, w, d, d.spell(w))
					broken := strings.Replace(d.spell(w), "\r\nHost:", "\r\nHost: twice.test\r\nHost:", 1)
					disclose(t, p, w, d, broken)
				}
			}
			searchEverything(t, p)
		})
	}
}

// TestAccountsHaveNoPasswordBehindThem: a query or a form that its caller spelled or
// escaped wrongly names nobody, though accounts are names.
func TestAccountsHaveNoPasswordBehindThem(t *testing.T) {
	t.Parallel()
	server, p := portal(t, smsportal.Options{}, "clients: {account: plain}")
	const rest = "Password=" + plantedToken + ";numto=" + plantedNumber
	texts := []string{
		"Username=bob;" + rest, "Username=bob%26" + url.QueryEscape(rest), "Username=bob%2526" + url.QueryEscape(url.QueryEscape(rest)),
		"Username=bob " + rest, "Username=bob%0d%0a" + rest, "Username=bob" + rest, "Username=bob%00" + plantedToken,
	}
	for _, w := range ways {
		for _, text := range texts {
			disclose(t, p, w, disclosure{name: text, method: "GET"}, w.request("GET", "/api5/http5.aspx?Type=credits&"+text, "", ""))
			d := disclosure{"form " + text, "POST", "/api5/http5.aspx", "Content-Type: application/x-www-form-urlencoded", "Type=credits&" + text}
			disclose(t, p, w, d, d.spell(w))
		}
	}
	p.WaitLog(harness.Match{"msg": "request", "client": "127.0.0.1"})
	if n := server.Count(); n != 2*len(ways)*len(texts) {
		t.Errorf("%d requests were passed on", n)
	}
	searchEverything(t, p)
}

// disclose sends a request and searches the answer, if it is ours.
func disclose(t *testing.T, p *harness.Process, w way, d disclosure, request string) {
	t.Helper()
	in := dial(t, p)
	defer in.Close()
	if w.name == "connect" {
		in.Send("CONNECT " + legacyHost + ":443 HTTP/1.1\r\n\r\n")
		if answer, err := in.TryAnswer("CONNECT"); err != nil || answer.StatusCode != 200 {
			return // refused: other ways disclose the same
		}
	}
	answer, err := in.Send(request).TryAnswer(d.method)
	if err != nil {
		t.Errorf("%s, %s: %v", w.name, d.name, err)
		return
	}
	if answer.Problem() != "" {
		planted.Search(t, fmt.Sprintf("our answer to %s, %s", w.name, d.name), answer.Raw)
	}
}

func searchEverything(t *testing.T, p *harness.Process) {
	t.Helper()
	p.WaitLog(harness.Match{"msg": "request"})
	for _, path := range []string{"/", "/metrics", "/healthz", "/readyz", "/proxy.pac", "/api/v1/clients", "/api/v1/summary", "/no/such/page"} {
		_, body := p.Get(path)
		planted.Search(t, "the admin listener's "+path, body)
	}
	if code := p.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	planted.Search(t, "the log", p.Output())
}
