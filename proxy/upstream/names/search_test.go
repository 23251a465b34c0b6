package names

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"tlslift/proxy/host"
	"tlslift/test/nameserver"
)

// TestNamesOfTheSystem: a name is looked up as any program does it, by the hosts
// file, the servers and the search list, and the system's resolver is the last to
// be asked.
func TestNamesOfTheSystem(t *testing.T) {
	const failed = "the system was asked for "
	for _, tt := range []struct{ conf, name, want, asked string }{
		{"", "proxy.corp", "[192.0.2.1]", "proxy.corp"},
		{"", "here", "[127.0.0.1]", ""},
		{"", "proxy", failed + "proxy", "proxy"},
		{"search x.test corp", "proxy", "[192.0.2.1]", "proxy.x.test proxy.corp"},
		{"search x.test\nsearch corp", "proxy", "[192.0.2.1]", "proxy.corp"},
		{"domain corp", "proxy", "[192.0.2.1]", "proxy.corp"},
		{"search Corp. . a..b", "proxy", "[192.0.2.1]", "proxy.corp"},
		{"search x.test", "proxy", failed + "proxy", "proxy.x.test proxy"},
		{"search corp", "other", "[192.0.2.3]", "other.corp other"},
		{"search corp", "a.proxy", "[192.0.2.2]", "a.proxy a.proxy.corp"},
		{"search corp\noptions ndots:2", "a.proxy", "[192.0.2.2]", "a.proxy.corp"},
		{"search corp\noptions rotate 7 ndots:2", "proxy.corp", "[192.0.2.1]", "proxy.corp.corp proxy.corp"},
		{"search corp\noptions ndots:0", "other", "[192.0.2.3]", "other"},
		{"search fails.test corp", "proxy", failed + "proxy", "proxy.fails.test"}, // it may have the name
	} {
		synctest.Test(t, func(t *testing.T) {
			ns := nameserver.New(t, "proxy.corp 60 A 192.0.2.1", "a.proxy.corp 60 A 192.0.2.2", "other 60 A 192.0.2.3")
			fail := nameserver.Fail(dnsmessage.RCodeServerFailure)
			ns.Set(func(q dnsmessage.Message, normal []byte) []byte {
				if strings.Contains(q.Questions[0].Name.String(), "fails") {
					return fail(q, normal)
				}
				return normal
			})
			dead := nameserver.New(t)
			dead.Set(nameserver.Silence)
			r := testResolver(t, "127.0.0.1 here", nil)
			r.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if address == "192.0.2.53:53" {
					return dead.Dial(ctx, network, address)
				}
				return ns.Dial(ctx, network, address)
			}
			if err := os.WriteFile(r.ResolvConf, []byte("nameserver 192.0.2.53\nnameserver 192.0.2.54\n"+tt.conf), 0o600); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			addrs, _, err := r.LookupSystem(t.Context(), host.MustParse(tt.name))
			if got := fmt.Sprint(addrs, err); !strings.Contains(got, tt.want) {
				t.Errorf("%q, %s: %s, want %s", tt.conf, tt.name, got, tt.want)
			}
			var asked []string
			for _, q := range ns.Asked() {
				if name, ok := strings.CutSuffix(q, " A"); ok && (len(asked) == 0 || asked[len(asked)-1] != name) {
					asked = append(asked, name)
				}
			}
			if got := strings.Join(asked, " "); got != tt.asked {
				t.Errorf("%q, %s: asked for %s, want %s", tt.conf, tt.name, got, tt.asked)
			}
			if took := time.Since(start); took > askNext && !strings.Contains(tt.conf, "fails") {
				t.Errorf("%q, %s: took %v", tt.conf, tt.name, took)
			}
		})
	}
}
