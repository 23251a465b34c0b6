package e2e

import (
	"net"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestIPv4LiteralListensOnIPv4Alone: what is behind a firewall for IPv4 is not
// open to IPv6 callers.
func TestIPv4LiteralListensOnIPv4Alone(t *testing.T) {
	t.Parallel()
	probe, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6 here: %v", err)
	}
	probe.Close()
	token := harness.TempFile(t, "token", "a-token-of-the-test")
	_, p := portal(t, smsportal.Options{}, `
listen: [{address: "0.0.0.0:0"}, {address: "[::]:0"}]
admin: {address: "0.0.0.0:0", token_file: `+token+`, public: "0.0.0.0:0"}`)
	listening := p.WaitLogs(0, harness.Match{"msg": "listening"}, 2)
	admin := p.WaitLogs(0, harness.Match{"msg": "admin listening"}, 2)
	for what, c := range map[string]struct {
		line      harness.Line
		four, six bool
	}{
		"listen 0.0.0.0":       {listening[0], true, false},
		"listen [::]":          {listening[1], true, true},
		"admin 0.0.0.0":        {admin[0], true, false},
		"admin.public 0.0.0.0": {admin[1], true, false},
	} {
		_, port, err := net.SplitHostPort(c.line.String("address"))
		if err != nil {
			t.Fatal(err)
		}
		for host, want := range map[string]bool{"127.0.0.1": c.four, "::1": c.six} {
			conn, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), harness.Patience)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != want {
				t.Errorf("%s at %s: %v", what, host, err)
			}
		}
	}
}
