package dashboards

import (
	"math"

	"tlslift/metrics/ledger"
	"tlslift/test/dashboards/prom"
	"tlslift/test/dashboards/thirty"
)

func serviceFigures(w *thirty.World) []figure {
	t := newTruth(w)
	const six = 6 * hour
	upstream := "*.smsportal.com"
	quantile := func(from, to float64) float64 { return from + 0.95*(to-from) }
	instances := map[string]float64{
		"gw-a:9129": 1, "gw-b:9129": 0, "pay/billing-2": 1, "pay/refunds-1": 1, "shop/checkout-1": 1,
	}
	loaded, versions, hashes := make(map[string]float64), make(map[string]float64), make(map[string]float64)
	for name := range instances {
		hashes[thirty.Hash+" "+name] = 1
		loaded[name], versions[name+" 1.0.0"] = float64(thirty.Ago(20).UnixMilli()), 1
	}
	loaded["pay/billing-2"] = float64(thirty.Ago(20).UnixMilli())
	const watched = float64(thirty.Days)
	checkout := t.since(t.now, 24*hour, "upgrade/1.0 of shop/checkout")
	return []figure{
		{panel: "Upstream TLS versions", ref: "A", reduce: mean, want: map[string]float64{"1.2": t.since(t.now, six, "handshake/1.2") / six.Minutes()}, relative: 0.05},
		{panel: "Upstream TLS versions", ref: "B", reduce: mean, want: map[string]float64{"1.3": t.since(t.now, six, "handshake/1.3") / six.Minutes()}, relative: 0.05},
		{panel: "Latency by phase", ref: "A", reduce: last, want: map[string]float64{
			"connect": quantile(0.01, 0.05), "tls": quantile(0.01, 0.05), "first_byte": quantile(0.1, 0.25),
		}, relative: 0.001},
		{panel: "Added latency", ref: "A", reduce: last, want: map[string]float64{upstream: thirty.Added}, relative: 0.01},
		{panel: "Failures by delivery", ref: "A", reduce: sum, want: map[string]float64{
			"unknown timeout": t.since(t.now, six, "upstream failure/unknown: timeout"),
		}, relative: 0.1}, // a series' first minutes are counted roughly
		{panel: "Pool", ref: "A", reduce: last, want: map[string]float64{
			"idle " + upstream: w.Sum("tlslift_upstream_pool_connections", "state", "idle"),
			"busy " + upstream: w.Sum("tlslift_upstream_pool_connections", "state", "busy"),
		}},
		{panel: "Saturation", ref: "A", reduce: last, want: map[string]float64{
			"file_descriptors":     w.Max("process_open_fds", "", "") / w.Max("process_max_fds", "", ""),
			"connections":          (w.Max("tlslift_open_connections", "handling", "plain") + 6) / thirty.MaxConnections,
			"upstream_connections": w.Max("tlslift_upstream_pool_connections", "state", "busy") / thirty.MaxUpstreamConnections,
			"labelled_clients":     0.02,
			"tracked_clients":      0.0002,
		}, absolute: 0.005}, // the rule was evaluated up to a minute before
		{panel: "Denied calls by reason", ref: "A", reduce: sum, want: map[string]float64{}},
		{panel: "Lost records", ref: "A", reduce: sum, want: map[string]float64{}},
		{panel: "Lost records", ref: "B", reduce: sum, want: map[string]float64{}},
		{panel: "Sidecars, and which can be removed", ref: "A", reduce: last, want: map[string]float64{"pay/billing": 1, "pay/refunds": 1, "shop/checkout": 1}},
		{panel: "Sidecars, and which can be removed", ref: "B", reduce: last, want: t.of(func(c thirty.Client, _ ledger.Times) (string, float64, bool) {
			return " " + t.states[c.Name].String(), 1, c.Sidecar()
		})},
		{panel: "Sidecars, and which can be removed", ref: "C", reduce: last, want: map[string]float64{
			"pay/billing": 0, "pay/refunds": 0, "shop/checkout": checkout,
		}, relative: 0.02},
		{panel: "Sidecars, and which can be removed", ref: "D", reduce: last, want: t.of(func(c thirty.Client, seen ledger.Times) (string, float64, bool) {
			return "", float64(seen.LastInsecure.UnixMilli()), c.Sidecar() && !seen.LastInsecure.IsZero()
		}), absolute: float64(hour.Milliseconds())},
		{panel: "Sidecars, and which can be removed", ref: "E", reduce: rounded, want: map[string]float64{
			"pay/billing": watched, "pay/refunds": watched, "shop/checkout": watched,
		}},
		{panel: "Sidecars, and which can be removed", ref: "F", reduce: last, want: map[string]float64{
			"pay/billing": 0, "pay/refunds": 1, "shop/checkout": 0,
		}},
		{panel: "Reloads", ref: "A", reduce: last, want: instances},
		{panel: "Reloads", ref: "B", reduce: last, want: loaded},
		{panel: "Reloads", ref: "C", reduce: last, want: versions},
		{panel: "Reloads", ref: "D", reduce: last, want: hashes},
	}
}

func rounded(s []prom.Sample) float64 { return math.Round(last(s)) }
