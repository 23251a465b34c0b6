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
	const said = `tlslift refuses its calls: "error" in the log lines with its name says why.`
	advises := func(name, fix string) {
		t.Helper()
		if r := g.row(t, name); r.Fix != fix {
			t.Errorf("%s: %s; want %s", name, r.Fix, fix)
		}
	}
	g.request("barred", denied(foreign(), problem.ACL)) // what a listener's allow refuses is nobody's
	connect := denied(foreign(), problem.ACL)
	connect.Method = "CONNECT"
	g.request("barred", connect)
	want("barred", Unseen, true, map[string]uint64{"acl": 2})
	advises("barred", said)
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

	looped := spliced() // its connection came back here
	looped.NoCall, looped.Ours = true, true
	g.Record(&call.Outcome{Kind: call.Tunnel, Client: named("looped"), End: g.clock.now(), Ours: true, Reason: problem.Loop, Observation: &looped})
	want("looped", NoCalls, true, map[string]uint64{"loop": 1})
	advises("looped", said)

	g.request("app", denied(plain("api.smsportal.com"), problem.Port))
	want("app", Insecure, true, map[string]uint64{"port": 1})
	advises("app", said+" Change its URL to the API's https address.")
	gone := denied(plain("api.smsportal.com"), problem.ClientGone)
	g.request("app", gone)
	g.request("app", plain("api.smsportal.com"))
	g.request("app", denied(plain("api.smsportal.com"), problem.Method))
	want("app", Insecure, false, map[string]uint64{"port": 1, "method": 1})
	advises("app", "Change its URL to the API's https address.")
	g.clock.advance(15 * dayLong)
	g.request("app", denied(plain("api.smsportal.com"), problem.ACL))
	want("app", Insecure, true, map[string]uint64{"port": 1, "method": 1, "acl": 1})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if read, err := ReadFile(file, g.clock.now(), 0); err != nil {
		t.Error(err)
	} else if r, ok := read.Row("barred"); !ok || !r.AllRefused || r.State != Unseen || r.Refused["acl"] != 2 {
		t.Errorf("in the file: %+v", r)
	}
	back := rigAt(g.clock, Options{File: file}, Settings{Clients: []Configured{{Name: "app"}}})
	if back.rows["barred"] != nil {
		t.Error("one that was only refused has a row, though its name is not configured any more")
	}
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
