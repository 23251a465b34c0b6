package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tlslift/metrics/page"
	"tlslift/proxy/authority"
)

// mountPage puts the status page and the API below the admin listener.
func (a *app) mountPage() error {
	mux := http.NewServeMux()
	err := page.Register(mux, page.Options{Ledger: a.ledger, Health: a.health, Version: version, Bound: a.admin.Bound})
	if err != nil {
		return fmt.Errorf("prepare the status page: %w", err)
	}
	a.admin.Mount("/", mux)
	a.admin.Mount("/api/v1/", mux)
	return nil
}

// health is what the status page says of this instance.
func (a *app) health() page.Health {
	h := page.Health{State: a.admin.State().String(), Started: a.started}
	for _, l := range a.server.Bound() {
		h.Listeners = append(h.Listeners, l.Addr.String())
	}
	stats := a.ledger.Stats()
	h.Facts = []page.Fact{
		{Name: "Configuration", Value: describeSource(a.src)},
		{Name: "Ledger", Value: cmp.Or(a.cfg.Load().State.File, "in memory only: a restart begins it anew, unless state.file names a file for it")},
		{Name: "Discovered clients", Value: fmt.Sprintf("%d of at most %d", stats.Tracked, stats.Limit)},
	}
	if problem := a.lastReload.Load(); problem != nil {
		h.Problems = append(h.Problems, "The last reload was refused: "+(*problem).Error())
	}
	if trouble := a.log.trouble(); trouble != "" {
		h.Problems = append(h.Problems, trouble)
	}
	if problem := a.lastUpgrade.Load(); problem != nil {
		h.Problems = append(h.Problems, "The last upgrade failed: "+(*problem).Error())
	}
	if stats.Unwritten != nil {
		h.Problems = append(h.Problems, notWritten+": "+stats.Unwritten.Error())
	}
	if stats.Overflowed > 0 && stats.Tracked >= stats.Limit {
		h.Problems = append(h.Problems, "The ledger is full: raise clients.track.")
	}
	if ca := a.server.CA(); ca != nil {
		h.CANotAfter, h.CAProblem = ca.Cert.NotAfter, caProblem(ca, time.Now())
	}
	return h
}

// notWritten says what it means that the ledger is not in its file.
const notWritten = "The ledger is not written to its file, so a restart forgets what is not there"

// trouble is what /readyz says is wrong, a line each; "" = nothing. It tells anyone who
// asks, so it names no file.
func (a *app) trouble() string {
	var lines []string
	if trouble := a.log.trouble(); trouble != "" {
		lines = append(lines, trouble)
	}
	if a.ledger.Stats().Unwritten != nil {
		lines = append(lines, notWritten+"; the log and the status page say why.")
	}
	return strings.Join(lines, "\n")
}

// caProblem is what is wrong with a CA, in a few words.
func caProblem(ca *authority.CA, now time.Time) string {
	switch {
	case !now.Before(ca.Cert.NotAfter):
		return "expired"
	case ca.Valid(now) != nil:
		return "not valid yet"
	case ca.ExpiresSoon(now):
		return "soon"
	default:
		return ""
	}
}
