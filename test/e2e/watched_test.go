package e2e

import (
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestLimitsAreExported beside what they bound, and follow a reload, as the
// hash of the configuration does.
func TestLimitsAreExported(t *testing.T) {
	t.Parallel()
	_, p := portal(t, smsportal.Options{}, "limits: {connections: 77, connections_per_client: 7}\nupstream: {max_connections: 9}\nclients: {track: 500, label_limit: 20}")
	const limit, hash = "tlslift_limit", "tlslift_config_hash_info"
	before := p.Metrics()
	for resource, want := range map[string]float64{"connections": 77, "upstream_connections": 9, "tracked_clients": 500, "labelled_clients": 20} {
		if got := before.Sum(limit, "resource", resource); got != want {
			t.Errorf("the limit of %s is %v, want %v", resource, got, want)
		}
	}
	p.Reconfigure("limits: {connections: 88, connections_per_client: 7}")
	p.WaitLog(harness.Match{"msg": "reloaded"})
	after := p.Metrics()
	if got := after.Sum(limit, "resource", "connections"); got != 88 {
		t.Errorf("after a reload the limit is %v, want 88", got)
	}
	if len(before[hash]) != 1 || len(after[hash]) != 1 || before[hash][0].Labels["hash"] == after[hash][0].Labels["hash"] {
		t.Errorf("the hash was %v and is %v", before[hash], after[hash])
	}
}
