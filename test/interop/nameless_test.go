//go:build linux

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestNamelessPrograms: programs that send no SNI get in where the listener has
// a default_upstream, by hosts file, and where their connection was going, by
// redirect: modern ones end to end, old ones with a leaf whose CN is the host.
func TestNamelessPrograms(t *testing.T) {
	t.Parallel()
	n := harness.NewNamespace(t, []string{"nft", "setpriv", systemPython}, apiAddress)
	var portal *smsportal.Server
	n.Inside(func() (err error) {
		portal, err = smsportal.New(smsportal.Options{Listen: apiAddress + ":443", RSA: true})
		return err
	})
	t.Cleanup(func() { _ = portal.Close() })
	dir, err := os.MkdirTemp("", "tlslift-nameless-") // the programs of a redirect are another user's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files, err := authority.Init(authority.InitOptions{Dir: dir, Domains: []string{"smsportal.com"}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "portal.pem")
	if err := os.WriteFile(theirs, portal.CAPEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Options{Under: n.Under(), Config: fmt.Sprintf(`
listen:
  - {address: "127.0.0.1:443", default_upstream: api.smsportal.com}
  - {address: "[::]:0", transparent: true}
upstreams: [{host: rest.smsportal.com, address: "%[1]s:443", ca_file: %[2]s}, {host: api.smsportal.com, address: "%[1]s:443", ca_file: %[2]s}]
legacy_tls: {ca: {cert_file: %[3]s, key_file: %[4]s}}
admin: {address: ""}
`, apiAddress, theirs, files.CA, files.Key)})
	redirected := p.ListenAddr(1)
	n.Nft(fmt.Sprintf(`table inet lab {
  chain out {
    type nat hook output priority -100;
    meta skuid 65534 tcp dport 443 redirect to :%s
  }
}`, redirected[strings.LastIndexByte(redirected, ':')+1:]))

	const path = "/api5/http5.aspx?Type=credits&Username=u&Password=p"
	for _, way := range []struct {
		name, address, host string
		under               []string
	}{
		{"hosts file", "127.0.0.1", "api.smsportal.com", nil},
		// Whose address was called is known; two hosts share it, and the first one
		// configured stands for it.
		{"redirect", apiAddress, "", []string{"setpriv", "--reuid=65534", "--clear-groups"}},
	} {
		n.Hosts("127.0.0.1 localhost\n" + way.address + " api.smsportal.com\n")
		for _, program := range []struct {
			name  string
			needs []requirement
			old   bool
			words []string
		}{
			{"Java without SNI", has("java"), false, []string{
				"java", "-XX:TieredStopAtLevel=1", "-Djsse.enableSNIExtension=false", "programs/Nameless.java", "https://api.smsportal.com" + path, theirs,
			}},
			{"Python without a name", nil, false, []string{systemPython, "programs/nameless.py", "api.smsportal.com", path, theirs}},
			// As small TLS libraries of devices do: one suite, one curve, no name.
			{"one suite and no name", has("openssl"), false, []string{
				"sh", "-c", "printf 'GET " + path + " HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -noservername -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256" +
					" -curves P-256 -CAfile " + theirs + " -verify_return_error -connect api.smsportal.com:443 2>/dev/null",
			}},
			{"Python without a name, TLS 1.0", nil, true, []string{systemPython, "programs/nameless.py", "api.smsportal.com", path, files.Root, "old"}},
		} {
			t.Run(way.name+"/"+program.name, func(t *testing.T) {
				p := p.In(t)
				need(t, program.needs)
				portal.Reset()
				mark := p.Mark()
				command := n.Command(append(way.under, program.words...)...)
				command.Env = append(plainEnvironment(), "HOME=/nonexistent")
				out, err := command.CombinedOutput()
				said := string(out)
				if err != nil || !answered(said) {
					t.Fatalf("%v: %s", err, said)
				}
				msg, decision := "tunnel", "splice"
				if program.old {
					msg, decision = "request", "upgrade"
					if way.host != "" && !strings.Contains(said, "CN ['"+way.host+"']") {
						t.Errorf("the leaf's CN is not the host: %.200s", said)
					}
				}
				line := p.WaitLogAfter(mark, harness.Match{"msg": msg, "decision": decision})
				if host := line.String("host"); way.host != "" && host != way.host || host == "" {
					t.Errorf("host %q", host)
				}
				if got := portal.Count(); got != 1 {
					t.Errorf("%d requests arrived", got)
				}
			})
		}
	}
}
