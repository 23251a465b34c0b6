package admin

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"tlslift/proxy/host"
)

// blockedGatherer gathers nothing, when it is let.
type blockedGatherer struct{ gathering, release chan struct{} }

func (g blockedGatherer) Gather() ([]*dto.MetricFamily, error) {
	g.gathering <- struct{}{}
	<-g.release
	return nil, nil
}

func TestPACNamesTheProxyAsTheCallerSeesIt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ listening, host, want string }{
		{"127.0.0.1:3128", "localhost:9128", "PROXY 127.0.0.1:3128"},
		{"0.0.0.0:3128", "localhost:9128", "PROXY localhost:3128"},
		{"[::]:3128", "10.0.0.7:9128", "PROXY 10.0.0.7:3128"},
		{"[::]:3128", "[fd00::7]:9128", "PROXY [fd00::7]:3128"},
		{":3128", "gateway.example:9128", "PROXY gateway.example:3128"},
		{"proxy.example:3128", "10.0.0.7", "PROXY proxy.example:3128"},
		{"[::1]:3128", "10.0.0.7", "PROXY [::1]:3128"},
		{"", "10.0.0.7", ""},
		{"nonsense", "10.0.0.7", ""},
	} {
		o := full(t)
		o.Proxy = func() string { return tt.listening }
		resp := ask(New(o).Handler(true), "GET", "/proxy.pac", tt.host)
		got := body(t, resp)
		if tt.want == "" {
			if resp.StatusCode != 404 {
				t.Errorf("%s seen from %s: %d, want 404", tt.listening, tt.host, resp.StatusCode)
			}
			continue
		}
		if !strings.Contains(got, `"`+tt.want+`"`) || resp.Header.Get("Content-Type") != "application/x-ns-proxy-autoconfig" {
			t.Errorf("%s seen from %s: no %s in\n%s", tt.listening, tt.host, tt.want, got)
		}
	}
}

func TestNoHostGetsIntoTheScript(t *testing.T) {
	t.Parallel()
	for _, host := range []string{`a"+alert(1)+"`, "a\nb", "a b", "a;b", "<script>", "a/b", "\xff", ""} {
		if got := SeenFrom("0.0.0.0:3128", host); got != "" {
			t.Errorf("Host %q became %q", host, got)
		}
	}
}

func patterns(texts ...string) []host.Pattern {
	all := make([]host.Pattern, len(texts))
	for i, text := range texts {
		var err error
		if all[i], err = host.ParsePattern(text); err != nil {
			panic(err)
		}
	}
	return all
}

// TestPACIsRight evaluates the script, where node is installed.
func TestPACIsRight(t *testing.T) {
	t.Parallel()
	script := pac("127.0.0.1:3128", patterns("smsportal.com", "*.smsportal.com", "www.MyMobileAPI.com"))
	for _, modern := range []string{"=>", "let ", "const ", "startsWith", "endsWith", "`"} {
		if strings.Contains(script, modern) {
			t.Errorf("%q is too new for old engines", modern)
		}
	}
	tests := [][3]string{
		{"http://api.smsportal.com/api5/http5.aspx", "api.smsportal.com", "PROXY 127.0.0.1:3128"},
		{"https://api.smsportal.com/", "API.SMSPortal.com.", "PROXY 127.0.0.1:3128"},
		{"HTTP://a.b.smsportal.com/", "a.b.smsportal.com", "PROXY 127.0.0.1:3128"},
		{"http://smsportal.com/", "smsportal.com", "PROXY 127.0.0.1:3128"},
		{"http://www.mymobileapi.com/", "www.mymobileapi.com", "PROXY 127.0.0.1:3128"},
		{"http://mymobileapi.com/", "mymobileapi.com", "DIRECT"},
		{"http://notsmsportal.com/", "notsmsportal.com", "DIRECT"},
		{"http://.smsportal.com/", ".smsportal.com", "DIRECT"},
		{"http://smsportal.com.evil.example/", "smsportal.com.evil.example", "DIRECT"},
		{"ftp://api.smsportal.com/", "api.smsportal.com", "DIRECT"},
		{"ws://api.smsportal.com/", "api.smsportal.com", "DIRECT"},
		{"http://example.com/", "example.com", "DIRECT"},
		{"", "", "DIRECT"},
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Log("SKIP: node is not installed: the script was not evaluated")
		return
	}
	input, err := json.Marshal(tests)
	if err != nil {
		t.Fatal(err)
	}
	program := script + "\nvar out = []; " + string(input) +
		".forEach(function (t) { out.push(FindProxyForURL(t[0], t[1])); }); console.log(JSON.stringify(out));"
	cmd := exec.CommandContext(t.Context(), node, "-")
	cmd.Stdin = strings.NewReader(program)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		if got[i] != tt[2] {
			t.Errorf("FindProxyForURL(%q, %q) = %s, want %s", tt[0], tt[1], got[i], tt[2])
		}
	}
}
