package proxy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"tlslift/docs/fixes"
	"tlslift/proxy/call"
)

// selfTestAnswer is what the self-test host reports about the caller.
type selfTestAnswer struct {
	Client     string `json:"client"`
	Source     string `json:"identity_source"`
	Address    string `json:"address"`
	Ingress    string `json:"ingress"`
	TLSVersion string `json:"tls_version"`
	Cipher     string `json:"tls_cipher,omitempty"`
	JA4        string `json:"ja4,omitempty"`
	Library    string `json:"library,omitempty"`
	Program    string `json:"program,omitempty"`
	Offers     string `json:"offers,omitempty"`
	Insecure   bool   `json:"insecure"`
	Advice     string `json:"advice"`
}

// selfTest answers check.tlslift.test with what tlslift saw of the caller, and what
// to change. It echoes no URL, header field or body.
func (q *request) selfTest() {
	c, o := q.c, &q.out
	program := call.FamilyOf(first(q.r.Header, "User-Agent"))
	a := selfTestAnswer{
		Client: c.client.Name, Source: c.client.Source.String(), Address: c.facts.Client.Addr().String(),
		Ingress: o.Ingress.String(), TLSVersion: o.Version.String(), Cipher: cipherName(o.Cipher),
		JA4: o.JA4, Insecure: o.Insecure(), Advice: q.advise(program),
	}
	if h := c.facts.Hello; h != nil {
		a.Library, a.Offers = h.Library().String(), c.facts.Offered().String()
	}
	if program != call.FamilyOther {
		a.Program = program.String()
	}
	o.Label = call.LabelOther
	contentType, body := "text/plain; charset=utf-8", a.text()
	if strings.Contains(first(q.r.Header, "Accept"), "json") {
		contentType = "application/json; charset=utf-8"
		body, _ = json.MarshalIndent(a, "", "  ") //nolint:errchkjson // a struct of strings
	}
	q.w.SetHeader(http.Header{
		"Content-Type": {contentType}, "Cache-Control": {"no-store"}, "Content-Length": {strconv.Itoa(len(body))},
	})
	q.w.WriteHeader(http.StatusOK)
	_, _ = q.w.Write(body)
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
	line("program", a.Program)
	line("insecure", strconv.FormatBool(a.Insecure))
	line("advice", a.Advice)
	return []byte(b.String())
}

// advise returns the advice for the caller's owner.
func (q *request) advise(program call.Family) string {
	c, obstacle := q.c.facts, obstacleOf(q.c.facts)
	if obstacle == fixes.Capable && q.st.terminate[q.c.client.Name] {
		obstacle = fixes.Terminated
	}
	return fixes.For(fixes.Client{
		Obstacle: obstacle, Library: libraryOf(c.Hello), Program: program.String(), Offered: offeredBy(c.Hello), FallsBack: q.fallsBack(), Settings: []string{q.setting().String()},
	}).Sentence
}
