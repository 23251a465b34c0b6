//go:build linux

package interop

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// fallbackLab is a host with programs on it, tlslift, and the API, whose port
// 80 answers in clear as it has for so long.
type fallbackLab struct {
	*harness.Namespace
	process *harness.Process
	built   string
	clear   atomic.Int64 // calls that came to the API's port 80
}

func newFallbackLab(t *testing.T) *fallbackLab {
	t.Helper()
	l := &fallbackLab{Namespace: harness.NewNamespace(t, []string{"nft", "curl"}, apiAddress), built: built(t)}
	var portal *smsportal.Server
	l.Inside(func() (err error) {
		portal, err = smsportal.New(smsportal.Options{Listen: apiAddress + ":443"})
		return err
	})
	t.Cleanup(func() { _ = portal.Close() })
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.clear.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "<api_result><call_result><result>True</result><error/></call_result></api_result>")
	})}
	ln := l.Listen(apiAddress + ":80")
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	l.process = harness.Start(t, harness.Options{Under: l.Under(), Upstream: portal, Config: `
listen:
  - {address: "127.0.0.1:80", client: by-hosts-file}
  - {address: "127.0.0.1:3128", client: by-proxy}
  - {address: "127.0.0.1:3129", client: by-base-url}
admin: {address: "127.0.0.1:9128"}
`})
	l.Nft(`table inet watch {
  chain leaving {
    type filter hook postrouting priority 300
    tcp dport 80 ip daddr != 127.0.0.0/8 counter
  }
}`)
	return l
}

// leaving is how many packets left for anybody's port 80 so far.
func (l *fallbackLab) leaving(t *testing.T) int {
	t.Helper()
	return number(t, l.Command("nft", "list", "table", "inet", "watch"), `packets (\d+)`)
}

// caller is a program and the way in which it was pointed here.
type caller struct {
	client, program, endpoint string
	hosts                     bool // by the hosts file
	env                       []string
}

const (
	ownURL = "http://api.smsportal.com/api5/http5.aspx"
	proxy  = "http_proxy=http://127.0.0.1:3128"
)

var fallbackCallers = []caller{
	{client: "by-hosts-file", program: "PHP file_get_contents", endpoint: ownURL, hosts: true},
	{client: "by-hosts-file", program: "Node http", endpoint: ownURL, hosts: true},
	{client: "by-proxy", program: "PHP curl", endpoint: ownURL, env: []string{proxy}},
	{client: "by-proxy", program: "Python urllib", endpoint: ownURL, env: []string{proxy}},
	{client: "by-base-url", program: "PHP file_get_contents", endpoint: "http://127.0.0.1:3129/api.smsportal.com/api5/http5.aspx"},
	{client: "by-base-url", program: "Ruby Net::HTTP", endpoint: "http://127.0.0.1:3129/api.smsportal.com/api5/http5.aspx"},
}

// calls makes every caller send, with what leads it here or without, and wants
// it to say how that went. It returns how many calls and packets went to the
// API's port 80.
func (l *fallbackLab) calls(t *testing.T, led bool, want func(caller) string) (clear, packets int) {
	t.Helper()
	before, left := l.clear.Load(), l.leaving(t)
	for i, c := range fallbackCallers {
		address, env := apiAddress, []string(nil)
		if led {
			env = c.env
			if c.hosts {
				address = "127.0.0.1"
			}
		}
		l.Hosts("127.0.0.1 localhost\n" + address + " api.smsportal.com\n")
		p := programs[slices.IndexFunc(programs, func(p program) bool { return p.name == c.program })]
		said := output(t, append(l.Under(), p.command(l.built, c.endpoint, fmt.Sprint("message-", i))...), env...)
		if !strings.HasPrefix(said, want(c)) {
			t.Errorf("%s, %s: it says %q, want %q", c.client, c.program, said, want(c))
		}
	}
	return int(l.clear.Load() - before), l.leaving(t) - left
}

func all(word string) func(caller) string { return func(caller) string { return word } }

// TestNoSilentFallback: a program with a base URL cannot fall back to clear. Any
// other does, as soon as what leads it to tlslift is lost, and nobody notices:
// who that is, is shown; and the rule that is shipped stops it.
func TestNoSilentFallback(t *testing.T) {
	l := newFallbackLab(t)
	for _, c := range fallbackCallers {
		for _, p := range programs {
			if p.name == c.program {
				need(t, p.needs)
			}
		}
	}
	rule, err := os.ReadFile("../../deploy/firewall/refuse-port-80.nft")
	if err != nil {
		t.Fatal(err)
	}
	quiet := func(when string, clear, packets int) {
		t.Helper()
		if clear != 0 || packets != 0 {
			t.Errorf("%s: %d calls in clear, %d packets to port 80", when, clear, packets)
		}
	}

	clear, packets := l.calls(t, true, all("sent"))
	quiet("through tlslift", clear, packets)
	l.shown(t)

	l.Nft(string(rule))
	clear, packets = l.calls(t, true, all("sent"))
	quiet("through tlslift, with the rule", clear, packets)
	l.Nft("delete table inet tlslift_port_80")

	if code := l.process.Stop(); code != 0 {
		t.Errorf("tlslift ended with status %d", code)
	}
	clear, packets = l.calls(t, true, all("failed"))
	quiet("tlslift stopped, and all still led to it", clear, packets)

	own := func(c caller) bool { return c.endpoint == ownURL }
	wantClear := 0
	for _, c := range fallbackCallers {
		if own(c) {
			wantClear++
		}
	}
	// The control: without the rule all but base URLs go out in clear.
	clear, packets = l.calls(t, false, func(c caller) string {
		if own(c) {
			return "sent"
		}
		return "failed"
	})
	if clear != wantClear || packets == 0 {
		t.Errorf("nothing leads to tlslift: %d calls in clear, %d packets to port 80, want %d calls", clear, packets, wantClear)
	}

	l.Nft(string(rule))
	l.Nft(string(rule)) // can be read again
	clear, packets = l.calls(t, false, all("failed"))
	quiet("nothing leads to tlslift, with the rule", clear, packets)
}

// shown: the API, the page and the report say who falls back, and who does not.
func (l *fallbackLab) shown(t *testing.T) {
	t.Helper()
	const sentence = "gets lost, it calls in clear"
	get := func(path string) string {
		return output(t, append(l.Under(), "curl", "-sS", "http://127.0.0.1:9128"+path))
	}
	for client, want := range map[string]bool{"by-hosts-file": true, "by-proxy": true, "by-base-url": false} {
		if row := get("/api/v1/clients/" + client); strings.Contains(row, `"falls_back_to_clear":true`) != want || !strings.Contains(row, `"verdict":"plaintext"`) {
			t.Errorf("the API says %s", row)
		}
		if page := get("/clients/" + client); strings.Contains(page, sentence) != want {
			t.Errorf("%s: the page says otherwise", client)
		}
	}
	if page := get("/"); strings.Count(page, sentence) != 2 {
		t.Errorf("the page has the sentence %d times", strings.Count(page, sentence))
	}
	for _, format := range []string{"table", "markdown", "html"} {
		report := output(t, append(l.Under(), harness.Binary(t), "report", "--admin", "http://127.0.0.1:9128", "--format", format))
		if strings.Count(report, sentence) != 2 || !strings.Contains(report, "redirect gets lost: 2.") {
			t.Errorf("the report says %s", report)
		}
	}
	if report := output(t, append(l.Under(), harness.Binary(t), "report", "--admin", "http://127.0.0.1:9128", "--format", "csv")); strings.Count(report, ",http-to-https,true") != 2 {
		t.Errorf("the report says %s", report)
	}
}
