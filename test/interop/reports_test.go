package interop

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestWhatProgramsReport: what a failure looks like to programs that send, by
// who failed and what became of the message. It is the evidence for a decision
// (docs/errors.md): our own failures keep their status, because a program that
// looks at nothing but the status, or at nothing but whether it got an answer,
// takes a failure with status 200 for a message sent.
func TestWhatProgramsReport(t *testing.T) {
	const refusal = `<api_result><call_result><result>False</result><error>No data to send</error></call_result></api_result>`
	server, err := smsportal.New(smsportal.Options{Override: func(r *smsportal.Request) (smsportal.Response, bool) {
		if r.Host() == "rest.smsportal.com" { // any host of ours does
			return smsportal.Response{Body: []byte(refusal)}, true
		}
		return smsportal.Response{Raw: []byte{}}, true // closes without an answer
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	roots := t.TempDir() + "/roots.pem"
	harness.WriteFile(t, roots, string(server.CAPEM()))
	p := harness.Start(t, harness.Options{Config: fmt.Sprintf(`
upstreams:
  - {host: rest.smsportal.com, address: %[1]q, ca_file: %[2]q}
  - {host: www.mymobileapi.com, address: %[1]q, ca_file: %[2]q}
  - {host: api.smsportal.com, address: "127.0.0.1:1"}
`, server.Addr(), roots)})
	dir := built(t)
	table := []string{"| program | the API refuses: 200, `False` | 502, `not_sent` | 502, `unknown` |", "|---|---|---|---|"}
	for _, program := range programs {
		t.Run(program.name, func(t *testing.T) {
			need(t, program.needs)
			row := "| " + program.name
			for _, c := range []struct{ host, delivery, want string }{
				{"rest.smsportal.com", "answered", program.reports.refused},
				{"api.smsportal.com", "not_sent", program.reports.notSent},
				{"www.mymobileapi.com", "unknown", program.reports.unknown},
			} {
				server.Reset()
				mark := p.Mark()
				said := output(t, program.command(dir, "http://"+p.Addr()+"/"+c.host+"/api5/http5.aspx", c.delivery))
				if !strings.Contains(said, c.want) || c.delivery != "answered" && !strings.HasPrefix(said, "failed") {
					t.Errorf("%s: it says %q, want %q", c.delivery, said, c.want)
				}
				lines := p.In(t).WaitLogs(mark, harness.Match{"msg": "request", "host": c.host}, 1)
				if lines[0].String("delivery") != c.delivery || server.Count() > 1 {
					t.Errorf("%s: sent %d times, %v", c.delivery, server.Count(), lines[0])
				}
				row += " | " + told(said)
			}
			table = append(table, row+" |")
		})
	}
	if len(table) != len(programs)+2 || t.Failed() {
		return // something was not installed, or is told above
	}
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(table, "\n"); !strings.Contains(string(page), want) {
		t.Errorf("docs/errors.md lacks this table, which is what was seen:\n%s", want)
	}
}

// told is what a program's line tells a person, for the table.
func told(said string) string {
	switch {
	case said == "sent":
		return "**sent**"
	case strings.Contains(said, ", not_sent, request"), strings.Contains(said, ", unknown, request"):
		return "failed, with our sentence"
	case strings.Contains(said, "No data to send"):
		return "failed, with the API's words"
	case strings.Contains(said, ", not_sent)"), strings.Contains(said, ", unknown)"):
		return "failed, with the reason phrase"
	case strings.Contains(said, "502"):
		return "failed, with the status alone"
	default:
		return "failed"
	}
}
