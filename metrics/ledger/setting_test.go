package ledger

import (
	"slices"
	"testing"

	"tlslift/proxy/call"
)

// What leads a client here is what led its latest calls: a setting that was taken
// out is not advised about for longer than migratedAfter.
func TestSettings(t *testing.T) {
	t.Parallel()
	g := newRig(Settings{MigratedAfter: 14 * dayLong})
	o := plain("api.smsportal.com")
	o.Setting = call.SettingURL
	g.request("a", o)
	spliced := call.Observation{Ingress: call.Connect, Handling: call.Spliced, Version: call.Version12, Hello: &call.Offer{Max: call.Version12, SNI: true}}
	g.sight("a", spliced)
	if got := g.row(t, "a").Settings; !slices.Equal(got, []string{"url", "proxy"}) {
		t.Errorf("%q", got)
	}
	g.clock.advance(14 * dayLong)
	for name, c := range map[string]struct {
		ingress call.Ingress
		hello   call.Offer
		want    []string
	}{
		"a":       {call.Connect, call.Offer{Max: call.Version12}, []string{"proxy"}},
		"entry":   {call.TLS, call.Offer{Max: call.Version12, SNI: true}, []string{"name"}},
		"unknown": {call.TLS, call.Offer{Max: call.Version12}, nil}, // it may have our address in its URL
		"alias":   {call.TLS, call.Offer{Max: call.Version12, SNI: true, WrongName: true}, nil},
		"pod":     {call.Transparent, call.Offer{Max: call.Version12}, []string{"redirect"}},
	} {
		spliced.Ingress, spliced.Hello = c.ingress, &c.hello
		g.sight(name, spliced)
		if got := g.row(t, name).Settings; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	scan := call.Observation{Ingress: call.Connect, Handling: call.Spliced, Version: call.Version12, NoCall: true}
	g.sight("scanner", scan)
	if got := g.row(t, "scanner").Settings; got != nil {
		t.Errorf("a scanner is led by %q", got)
	}
}
