package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// TestMistakesInFlags: the message names the flag, the value, and what to write.
func TestMistakesInFlags(t *testing.T) {
	t.Parallel()
	misspelt := harness.TempFile(t, "pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {tlslift/prot: '3129'}}\nspec: {containers: [{name: app, image: a}]}\n")
	for arguments, want := range map[string]string{
		"ca init --dir x --days abc":                   `--days "abc": write a whole number, such as 365; see tlslift ca init --help`,
		"ca init --dir x --days 99999999999999999999":  `--days "99999999999999999999": write a whole number, such as 365; see tlslift ca init --help`,
		"ca init --dir x --critical=maybe":             `--critical "maybe": write --critical, --critical=true or --critical=false; see tlslift ca init --help`,
		"check --timeout 5":                            `--timeout "5": write a time with its unit, such as 10s or 2m; see tlslift check --help`,
		"check --timeout -5s":                          `--timeout -5s: write a time longer than 0, such as 10s`,
		"check --timeout":                              `--timeout needs a value; write a time with its unit, such as 10s or 2m; see tlslift check --help`,
		"report --admin":                               `--admin needs a value; write a URL, such as http://127.0.0.1:9128; see tlslift report --help`,
		"report --format":                              `--format needs a value; write table, markdown, csv, json or html; see tlslift report --help`,
		"-c":                                           `--config needs a value; write the name of a file, such as ./tlslift.yaml; see tlslift --help`,
		"run --log-level":                              `--log-level needs a value; write debug, info, warn or error; see tlslift run --help`,
		"--config=":                                    `--config needs a value; write the name of a file, such as ./tlslift.yaml; see tlslift --help`,
		"run --config=":                                `--config needs a value; write the name of a file, such as ./tlslift.yaml; see tlslift run --help`,
		"report --state=":                              `--state needs a value; write the name of a file, such as ./tlslift.yaml; see tlslift report --help`,
		"report --admin x --owners=":                   `--owners needs a value; write the name of a file, such as ./tlslift.yaml; see tlslift report --help`,
		"run --listne :80":                             `unknown flag --listne; did you mean --listen?; see tlslift run --help`,
		"ca int --dir x":                               `unknown command "int"; did you mean "init"?; see tlslift ca --help`,
		"run -listen :80":                              `unknown flag -listen; did you mean --listen?; see tlslift run --help`,
		"run -config tlslift.yaml":                     `unknown flag -config; did you mean --config?; see tlslift run --help`,
		"check -config=x.yaml":                         `unknown flag -config; did you mean --config?; see tlslift check --help`,
		"-version":                                     `unknown flag -version; did you mean --version?; see tlslift --help`,
		"-config x.yaml":                               `unknown flag -config; did you mean --config?; see tlslift --help`,
		"tlslift.yaml":                                 `unknown command "tlslift.yaml"; did you mean --config tlslift.yaml?; see tlslift --help`,
		"run tlslift.yaml":                             `tlslift run takes no argument "tlslift.yaml"; did you mean --config tlslift.yaml?; see tlslift run --help`,
		"--online check":                               `unknown flag --online; it is a flag of check: write it after that command; see tlslift --help`,
		"ca --critical init":                           `unknown flag --critical; it is a flag of init: write it after that command; see tlslift ca --help`,
		"check --online api.smsportal.com":             `tlslift check takes no argument "api.smsportal.com"; did you mean --upstream api.smsportal.com?; see tlslift check --help`,
		"check *.smsportal.com":                        `tlslift check takes no argument "*.smsportal.com"; did you mean --upstream *.smsportal.com?; see tlslift check --help`,
		"check --listen 127.0.0.1:1;127.0.0.1:2":       `flag: --listen: "127.0.0.1:1;127.0.0.1:2" is not a host and port; repeat the flag for each`,
		"check etc/conf":                               `tlslift check takes no argument "etc/conf"; did you mean --config etc/conf?; see tlslift check --help`,
		"check word":                                   `tlslift check takes no argument "word"; see tlslift check --help`,
		"ca show ca/ca.pem":                            `tlslift ca show takes no argument "ca/ca.pem"; did you mean --cert ca/ca.pem?; see tlslift ca show --help`,
		"ca init --dir x --domain a.example,b.example": `--domain "a.example,b.example": repeat the flag for each domain`,
		"ca init c6":                                   `tlslift ca init takes no argument "c6"; did you mean --dir c6?; see tlslift ca init --help`,
		"inject app.yaml":                              `tlslift inject takes no argument "app.yaml"; did you mean -f app.yaml?; see tlslift inject --help`,
		"report ledger.json":                           `tlslift report takes no argument "ledger.json"; did you mean --state ledger.json?; see tlslift report --help`,
		"version x.yaml":                               `tlslift version takes no argument "x.yaml"; see tlslift version --help`,
		"check --upstream a.example,b.example":         `flag: --upstream: "a.example,b.example" is not a host; repeat the flag for each`,
		"check --config=~/x.yaml":                      `~/x.yaml: cannot be read: no such file or directory; write the whole path: ~ is not expanded`,
		"run --dance":                                  `unknown flag --dance; see tlslift run --help`,
		"-x":                                           `unknown flag -x; see tlslift --help`,
		"--=x":                                         `"--=x" is not a flag; write --NAME VALUE; see tlslift --help`,
		"inject --port http":                           `--port "http": write a number from 1 to 65535, such as 3128; see tlslift inject --help`,
		"inject -f " + misspelt:                        misspelt + ": document 1: Pod p: line 3: unknown annotation tlslift/prot; did you mean tlslift/port?",
	} {
		t.Run(arguments, func(t *testing.T) {
			t.Parallel()
			if got := harness.Run(t, nil, strings.Fields(arguments)...); got.Code == 0 || got.Stderr != "tlslift: "+want+"\n" {
				t.Errorf("status %d, %s", got.Code, got.Stderr)
			}
		})
	}
}

// TestCAInitSaysWhatItPermits: a pattern permits its domain too, because X.509
// cannot express less.
func TestCAInitSaysWhatItPermits(t *testing.T) {
	t.Parallel()
	for domain, note := range map[string]string{
		"*.a.example": "note: --domain *.a.example permits a.example too: a name constraint of X.509 cannot leave it out\n",
		"a.example":   "",
	} {
		dir := filepath.Join(t.TempDir(), "ca")
		got := harness.Run(t, nil, "ca", "init", "--dir", dir, "--domain", domain)
		if got.Code != 0 || got.Stderr != note || !strings.Contains(got.Stdout, "\nIt can sign for these domains and all below them: a.example, check.tlslift.test\n") {
			t.Errorf("%s: status %d, %s%s", domain, got.Code, got.Stdout, got.Stderr)
		}
		shown := harness.Run(t, nil, "ca", "show", "--cert", filepath.Join(dir, "ca.pem"))
		if !strings.Contains(shown.Stdout, "a.example, check.tlslift.test and below") {
			t.Errorf("%s: %s", domain, shown.Stdout)
		}
	}
}
