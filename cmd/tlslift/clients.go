package main

import (
	"slices"

	"tlslift/configs"
	"tlslift/metrics"
	"tlslift/metrics/ledger"
	"tlslift/proxy/identity"
)

// applyConfig gives the ledger and the metrics what the configuration says about
// clients, upstreams and limits.
func (a *app) applyConfig(cfg *configs.Config) {
	settings := ledger.Settings{
		Target:        cfg.Policy.Target,
		MigratedAfter: cfg.Policy.MigratedAfter,
		Workload:      cfg.Clients.Workload,
		Upstreams:     upstreamLabels(cfg),
		Track:         cfg.Clients.Track,
		LabelLimit:    cfg.Clients.LabelLimit,
	}
	misspelt := unnamed(cfg)
	for _, name := range clientNames(cfg, a.server.Resolver()) {
		settings.Clients = append(settings.Clients, ledger.Configured{Name: name, Migrated: cfg.Policy.Clients[name].Migrated, Unnamed: slices.Contains(misspelt, name)})
	}
	a.ledger.Configure(settings)
	a.metrics.SetUpstreams(settings.Upstreams)
	a.metrics.SetLimits(metrics.Limits{
		metrics.Connections:         int64(cfg.Limits.Connections),
		metrics.UpstreamConnections: int64(cfg.Upstream.MaxConnections),
		metrics.Memory:              a.server.HeldLimit(),
		metrics.LabelledClients:     int64(cfg.Clients.LabelLimit),
		metrics.TrackedClients:      int64(cfg.Clients.Track),
	})
	a.metrics.ConfigHash(cfg.Hash())
}

func upstreamLabels(cfg *configs.Config) []string {
	var labels []string
	for _, u := range cfg.Upstreams {
		labels = append(labels, u.Host.String())
	}
	return labels
}

// clientNames returns the clients that the configuration knows: those of
// listeners, ranges, the workload, the policy, the users file and
// legacy_tls.terminate_clients.
func clientNames(cfg *configs.Config, ladder *identity.Resolver) []string {
	names := ladder.Configured()
	for _, l := range cfg.Listen {
		if l.Client != "" {
			names = append(names, l.Client)
		}
	}
	names = append(names, cfg.LegacyTLS.TerminateClients...)
	slices.Sort(names)
	return slices.Compact(names)
}
