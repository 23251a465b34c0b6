package ledger

import (
	"maps"
	"path/filepath"
	"testing"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
)

// What tlslift refused of a client is counted, whether or not it was for the API,
// and it is said when nothing of it gets through any more.
func TestRefusedCallsAreCounted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ledger.json")
	g := newRigIn(Options{File: file}, Settings{Clients: []Configured{{Name: "barred"}, {Name: "app"}}})
	denied := func(o call.Outcome, why problem.Reason) call.Outcome {
		o.Label, o.Reason, o.Upgraded = call.LabelDenied, why, false
		return o
	}
	want := func(name string, state State, all bool, counts map[string]uint64) {
		t.Helper()
		if r := g.row(t, name); r.State != state || r.AllRefused != all || !maps.Equal(r.Refused, counts) || !r.LastRefused.IsZero() && r.LastRefused.After(g.clock.now()) {
			t.Errorf("%s is %s, all refused %t, %v; want %s, %t, %v", name, r.State, r.AllRefused, r.Refused, state, all, counts)
		}
	}
	g.request("barred", denied(foreign(), problem.ACL)) // what a listener's allow refuses is nobody's
	connect := denied(foreign(), problem.ACL)
	connect.Method = "CONNECT"
	g.request("barred", connect)
	want("barred", Unseen, true, map[string]uint64{"acl": 2})
	g.request("stranger", denied(foreign(), problem.Host))
	if _, ok := g.Row("stranger"); ok {
		t.Error("one that was only refused has a row")
	}

	nameless := refused(call.Version12, call.HandshakeNoServerName)
	nameless.Ours = true
	g.Record(&call.Outcome{ // whose handshake failed: no call
		Kind: call.Tunnel, Client: named("nameless"), End: g.clock.now(), Ours: true, Reason: problem.Host, Failure: call.HandshakeNoServerName, Observation: &nameless,
	})
	want("nameless", NoCalls, false, nil)

	g.request("app", denied(plain("api.smsportal.com"), problem.Port))
	want("app", Insecure, true, map[string]uint64{"port": 1})
	gone := denied(plain("api.smsportal.com"), problem.ClientGone)
	g.request("app", gone)
	g.request("app", plain("api.smsportal.com"))
	g.request("app", denied(plain("api.smsportal.com"), problem.Method))
	want("app", Insecure, false, map[string]uint64{"port": 1, "method": 1})
	g.clock.advance(15 * dayLong)
	g.request("app", denied(plain("api.smsportal.com"), problem.ACL))
	want("app", Insecure, true, map[string]uint64{"port": 1, "method": 1, "acl": 1})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	back := rigAt(g.clock, Options{File: file}, Settings{Clients: []Configured{{Name: "app"}}})
	if r := back.row(t, "app"); !r.AllRefused || r.Refused["port"] != 1 || !r.LastRefused.Equal(epoch.Add(15*dayLong)) {
		t.Errorf("after a restart: %t, %v, %s", r.AllRefused, r.Refused, r.LastRefused)
	}
	back.sight("app", spliced())
	if r := back.row(t, "app"); r.AllRefused {
		t.Error("a call got through")
	}
	if err := back.Close(); err != nil {
		t.Fatal(err)
	}
}
