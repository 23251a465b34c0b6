package main

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tlslift/metrics/page"
	"tlslift/proxy/authority"
	"tlslift/proxy/host"
)

// mountPage mounts the status page and the API on the admin side.
func (a *app) mountPage() error {
	mux := http.NewServeMux()
	sentTo := func(asked string) string {
		name, _ := host.Parse(asked)
		return a.server.SentTo(name).String()
	}
	err := page.Register(mux, page.Options{Ledger: a.ledger, Health: a.health, Version: version, Clock: time.Now, To: sentTo, Bound: a.admin.Bound})
	if err != nil {
		return fmt.Errorf("prepare the status page: %w", err)
	}
	a.admin.Mount("/", mux)
	a.admin.Mount("/api/v1/", mux)
	return nil
}

// health returns what the status page shows about this instance.
func (a *app) health() page.Health {
	h := page.Health{State: a.admin.State().String(), Started: a.started}
	for _, l := range a.server.Bound() {
		h.Listeners = append(h.Listeners, l.Addr.String())
	}
	stats := a.ledger.Stats()
	h.Facts = []page.Fact{
		{Name: "Configuration", Value: describeSource(a.src)},
		{Name: "Ledger", Value: cmp.Or(a.cfg.Load().State.File, "in memory only: it is lost at a restart; set state.file to keep it")},
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

// notWritten says what happens because the ledger is not in its file.
const notWritten = "The ledger is not written to its file, so a restart loses what is not in the file"

// trouble returns what /readyz says is wrong, one line each, or "". It names no
// file, because anyone can ask.
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

// caProblem returns what is wrong with a CA in a few words, or "" if nothing is.
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
