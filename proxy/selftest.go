package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// selfTestAnswer is what the self-test host says of the caller.
type selfTestAnswer struct {
	Client     string `json:"client"`
	Source     string `json:"identity_source"`
	Address    string `json:"address"`
	Ingress    string `json:"ingress"`
	TLSVersion string `json:"tls_version"`
	Cipher     string `json:"tls_cipher,omitempty"`
	JA4        string `json:"ja4,omitempty"`
	Library    string `json:"library,omitempty"`
	Offers     string `json:"offers,omitempty"`
	Insecure   bool   `json:"insecure"`
	Advice     string `json:"advice"`
}

// selfTest answers check.tlslift.test: what tlslift saw of the caller, and what
// to change. Nothing of the request itself is given back.
func (s *Server) selfTest(out *responseWriter, r *http.Request, rec *record) {
	sess := rec.sess
	a := selfTestAnswer{
		Client: sess.ident.Name, Source: sess.ident.Rung.String(), Address: sess.arr.Client.Addr().String(),
		Ingress: rec.ingress.String(), TLSVersion: rec.version.String(), Cipher: cipherName(rec.cipher),
		JA4: sess.ja4, Insecure: rec.insecure,
	}
	if h := sess.hello; h != nil {
		a.Library, a.Offers = h.Library().String(), call.VersionOf(h.MaxVersion).String()
	}
	a.Advice = advise(sess, rec)
	rec.label, rec.origin, rec.delivery = labelOther, originTlslift, problem.NotSent
	h := out.Header()
	var body []byte
	if strings.Contains(r.Header.Get("Accept"), "json") {
		body, _ = json.MarshalIndent(a, "", "  ") //nolint:errchkjson // a struct of strings
		h["Content-Type"] = []string{"application/json; charset=utf-8"}
	} else {
		body = a.text()
		h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	}
	h["Cache-Control"] = []string{"no-store"}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	out.WriteHeader(http.StatusOK)
	_, _ = out.Write(body)
}

func (a *selfTestAnswer) text() []byte {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", name, value)
		}
	}
	b.WriteString("tlslift self-test\n\n")
	line("client", a.Client+" (by "+a.Source+")")
	line("address", a.Address)
	line("way in", a.Ingress)
	line("TLS version", a.TLSVersion)
	line("cipher", a.Cipher)
	line("offers", a.Offers)
	line("JA4", a.JA4)
	line("library", a.Library)
	line("insecure", strconv.FormatBool(a.Insecure))
	line("advice", a.Advice)
	return []byte(b.String())
}

// advise is the sentence for the caller's owner.
func advise(sess *session, rec *record) string {
	switch {
	case sess.hello != nil && sess.hello.Modern():
		return "This client offers TLS 1.2 or higher: it does not need tlslift. Call the https URL directly."
	case sess.hello != nil:
		lib := sess.hello.Library()
		if lib.Advice != "" {
			return strings.ToUpper(lib.Advice[:1]) + lib.Advice[1:] + "."
		}
		return "This client offers at most TLS " + call.VersionOf(sess.hello.MaxVersion).String() + ": update its TLS library or runtime until it offers TLS 1.2."
	case rec.version == call.VersionNone:
		return "This client calls in clear: change the URL in its configuration from http to https. If that fails, its runtime is too old for TLS 1.2: update it."
	default:
		return ""
	}
}
