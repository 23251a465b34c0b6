package main

import (
	"time"

	"tlslift/configs"
	"tlslift/metrics/ledger"
)

// adoptNames tells metrics and ledger which clients the configuration names, and
// what it says of them.
func (a *app) adoptNames(cfg *configs.Config) {
	names := a.server.ClientNames()
	a.metrics.SetClients(cfg.Clients.Workload, names)
	var clients []ledger.Configured
	for _, name := range names {
		c := ledger.Configured{Name: name}
		if p, ok := cfg.Policy.Clients[name]; ok {
			c.Migrated = p.Migrated
		}
		clients = append(clients, c)
		a.metrics.Client(name, "name").Declared(c.Migrated)
	}
	a.ledger.Configure(cfg.Policy.MigratedAfter, clients)
}

// restore gives the clients that an earlier process saw their timestamps and
// verdicts back, so that a restart does not look like a first sight.
func (a *app) restore() {
	a.ledger.Standings(func(s ledger.Standing) {
		if s.FirstSeen.IsZero() {
			return
		}
		m := a.metrics.Client(s.Client, s.Source)
		m.FirstSeen(s.FirstSeen)
		m.LastInsecure(s.LastInsecure)
		m.LastSecure(s.LastSecure)
		m.Verdict(s.Verdict.String())
		m.Library(s.Library, s.Source)
	})
}

// sweepEvery is how often labels of clients that are gone are looked for.
const sweepEvery = time.Hour

// keepHouse frees what is not used any more until stop is closed.
func (a *app) keepHouse(stop <-chan struct{}) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			a.metrics.Sweep(now)
		case <-stop:
			return
		}
	}
}

func upstreamLabels(cfg *configs.Config) []string {
	var labels []string
	for _, u := range cfg.Upstreams {
		labels = append(labels, u.Host.String())
	}
	return labels
}
