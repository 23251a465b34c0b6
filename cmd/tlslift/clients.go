package main

import (
	"tlslift/configs"
	"tlslift/metrics"
	"tlslift/metrics/ledger"
)

// configureClients hands the ledger and the metrics what the configuration says
// of clients and upstreams.
func (a *app) configureClients(cfg *configs.Config) {
	settings := ledger.Settings{
		MigratedAfter: cfg.Policy.MigratedAfter,
		Workload:      cfg.Clients.Workload,
		Upstreams:     upstreamLabels(cfg),
		Track:         cfg.Clients.Track,
		LabelLimit:    cfg.Clients.LabelLimit,
	}
	for _, name := range a.server.ClientNames() {
		settings.Clients = append(settings.Clients, ledger.Configured{Name: name, Migrated: cfg.Policy.Clients[name].Migrated})
	}
	a.ledger.Configure(settings)
	a.metrics.SetUpstreams(settings.Upstreams)
	a.metrics.SetLimit(metrics.LabelledClients, settings.LabelLimit)
	a.metrics.SetLimit(metrics.TrackedClients, settings.Track)
}

func upstreamLabels(cfg *configs.Config) []string {
	var labels []string
	for _, u := range cfg.Upstreams {
		labels = append(labels, u.Host.String())
	}
	return labels
}
