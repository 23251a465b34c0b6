package main

import (
	"slices"
	"time"

	"tlslift/configs"
	"tlslift/metrics/ledger"
)

// configuredClients are all client names that the configuration knows, sorted.
func configuredClients(cfg *configs.Config) []string {
	var names []string
	for _, l := range cfg.Listen {
		if l.Client != "" {
			names = append(names, l.Client)
		}
	}
	for _, n := range cfg.Clients.Names {
		names = append(names, n.Name)
	}
	if cfg.Clients.Workload != "" {
		names = append(names, cfg.Clients.Workload)
	}
	for name := range cfg.Policy.Clients {
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ledgerClients is what the ledger is told of the configured clients.
func ledgerClients(cfg *configs.Config) []ledger.Configured {
	var out []ledger.Configured
	for _, name := range configuredClients(cfg) {
		c := ledger.Configured{Name: name}
		if p, ok := cfg.Policy.Clients[name]; ok {
			c.Migrated, c.Sunset = p.Migrated, p.Sunset
			if p.Waiver != nil {
				c.Owner, c.Waiver = p.Waiver.Owner, p.Waiver.Until
			}
		}
		out = append(out, c)
	}
	return out
}

// declare sets the timestamps that come from the configuration.
func (a *app) declare(cfg *configs.Config) {
	for _, c := range ledgerClients(cfg) {
		m := a.metrics.Client(c.Name, "name")
		m.Declared(c.Migrated)
		m.Sunset(c.Sunset)
		m.Waiver(c.Waiver)
	}
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
		labels = append(labels, u.Host)
	}
	return labels
}
