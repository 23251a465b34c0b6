package oldtls

import (
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// What is planted inside the TLS that ends here.
const (
	plantedUser    = "planted-user-1f7c"
	plantedPass    = "Pl4nted&S@cret word"
	plantedNumber  = "27821234987"
	plantedMessage = "planted one time pin 330918"
	plantedToken   = "planted.jwt.token-4471"
)

var planted = harness.Secrets{plantedUser, plantedPass, plantedNumber, plantedMessage, plantedToken, "planted-protocol-77"}

// confidences are requests full of secrets.
func confidences() map[string]string {
	form := url.Values{
		"Type": {"sendparam"}, "Username": {plantedUser}, "Password": {plantedPass}, "numto": {plantedNumber}, "data1": {plantedMessage},
	}.Encode()
	basic := base64.StdEncoding.EncodeToString([]byte(plantedUser + ":" + plantedPass))
	soap := "<Envelope><Body><Send_STR_STR><username>" + plantedUser + "</username><data>" + url.QueryEscape(plantedMessage) + "</data></Send_STR_STR></Body></Envelope>"
	with := func(method, target, headers, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s", method, target, legacy, headers, len(body), body)
	}
	const page = "/api5/http5.aspx"
	return map[string]string{
		"query":            with("GET", page+"?"+form, "", ""),
		"raw query":        with("GET", page+"?Password="+plantedPass+"&data1="+plantedMessage, "", ""),
		"absolute":         with("GET", "https://"+legacy+page+"?"+form, "", ""),
		"form":             with("POST", page, "Content-Type: application/x-www-form-urlencoded\r\n", form),
		"soap":             with("POST", "/api5/api.asmx", "Content-Type: text/xml\r\n", soap),
		"basic":            with("GET", "/v1/Balance", "Authorization: Basic "+basic+"\r\n", ""),
		"bearer":           with("GET", "/v1/Balance", "Authorization: Bearer "+plantedToken+"\r\n", ""),
		"another host":     strings.Replace(with("GET", page+"?"+form, "", ""), "Host: "+legacy, "Host: "+api, 1),
		"two hosts":        with("GET", page+"?"+form, "Host: x\r\n", ""),
		"no HTTP":          "LOGIN " + plantedUser + " " + plantedPass + "\r\n\r\n",
		"user in the URL":  with("GET", "https://"+plantedUser+":"+plantedToken+"@"+legacy+page, "", ""),
		"path":             with("GET", "/send/"+plantedNumber+"/"+url.PathEscape(plantedMessage), "", ""),
		"user agent":       with("GET", "/", "User-Agent: app/"+plantedPass+"\r\n", ""),
		"tunnel in tunnel": "CONNECT " + api + ":443 HTTP/1.1\r\nProxy-Authorization: Basic " + basic + "\r\n\r\n",
	}
}

// TestSecretsInsideOldTLS: of what is said inside nothing comes out but to the
// upstream.
func TestSecretsInsideOldTLS(t *testing.T) {
	t.Parallel()
	for scene, options := range map[string]smsportal.Options{
		"success": {},
		"upstream babbles": {Override: func(r *smsportal.Request) (smsportal.Response, bool) {
			return smsportal.Response{Raw: append([]byte("BABBLE "), r.Raw...)}, true
		}},
	} {
		t.Run(scene, func(t *testing.T) {
			t.Parallel()
			s := start(t, options, "clients: {account: hash}")
			for _, w := range ways {
				for name, request := range confidences() {
					config := speaking(tls.VersionTLS10, s.ours, legacy)
					config.NextProtos = []string{"planted-protocol-77"}
					c := s.hello(t, w, legacy, config)
					answer, err := c.Send(request).TryAnswer("GET")
					if err != nil {
						t.Errorf("%s, %s: %v", w.name, name, err)
					}
					if answer.Response != nil && answer.Problem() != "" {
						planted.Search(t, "our answer to "+name, answer.Raw)
					}
					c.Close()
				}
			}
			for _, path := range []string{"/", "/metrics", "/api/v1/clients", "/api/v1/summary"} {
				_, body := s.Get(path)
				planted.Search(t, "the admin listener's "+path, body)
			}
			if code := s.Stop(); code != 0 {
				t.Errorf("exit status %d", code)
			}
			planted.Search(t, "the log", s.Output())
		})
	}
}

// TestNamesThatNobodyHas: what a hello calls the server may be anything; only
// what a host can be called is written down.
func TestNamesThatNobodyHas(t *testing.T) {
	t.Parallel()
	s := start(t, smsportal.Options{}, "")
	for _, sni := range []string{"planted pin 330918\r\nlevel: error", "<script>planted-user-1f7c</script>", "\x00planted.jwt.token-4471", "planted@27821234987"} {
		for _, w := range ways {
			for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS12} {
				conn := w.open(t, s, legacy)
				_, _ = trySay(conn, spelled{version: version, suites: plainSuites, sni: sni, alpn: "planted-protocol-77"}.wire())
				_ = conn.Close()
			}
		}
	}
	if code := s.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	planted.Search(t, "the log", s.Output())
	if strings.Contains(s.Output(), "<script>") {
		t.Error("the log holds a script")
	}
}
