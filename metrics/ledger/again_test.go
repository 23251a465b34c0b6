package ledger

import (
	"testing"
)

// A connection that lives for days keeps its client in use on each of them, and
// is one connection all the same.
func TestALaterCallOnAConnectionIsNoFurtherConnection(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{})
	g.sight("app", spliced())
	again := spliced()
	again.Hello, again.Again = nil, true
	for range 3 {
		g.clock.advance(dayLong)
		g.sight("app", again)
		g.sight("app", again)
	}
	r := g.row(t, "app")
	if !r.LastSecure.Equal(epoch.Add(3*dayLong)) || r.State != Migrated {
		t.Errorf("last secure %s, %s", r.LastSecure, r.State)
	}
	var connections uint64
	for _, c := range r.Connections {
		connections += c.Count
	}
	if connections != 1 || len(r.Hosts) != 1 || r.Hosts[0].Count != 1 || r.Hellos["1.3"] != 1 {
		t.Errorf("connections %+v, hosts %+v, hellos %v", r.Connections, r.Hosts, r.Hellos)
	}
	active := 0
	for _, d := range r.History {
		if d.SecureConnections == 1 {
			active++
		}
	}
	if active != 4 {
		t.Errorf("%d days show the client in use, want 4: %+v", active, r.History)
	}
}
