package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"tlslift/metrics/ledger"
)

// Limits of what is read from an admin address.
const (
	maxAnswer  = 16 << 20  // bytes of one answer: a page of the largest rows, or the summary
	maxClients = 2_000_000 // clients in all: more than clients.track allows
)

// A busy instance says when to try again (503 with Retry-After).
const (
	maxTries = 30              // for one answer
	maxPause = 5 * time.Second // between two tries
)

var errNotAdmin = errors.New("it does not answer as tlslift's admin address does")

func notAdmin(why string) error { return fmt.Errorf("%w: %s; %s", errNotAdmin, why, giveAdmin) }

// FromAdmin reads one instance from its admin address.
func FromAdmin(ctx context.Context, admin string, access Access) (*Report, error) {
	u, err := address(admin, &access)
	if err != nil {
		return nil, fmt.Errorf("admin address: %w", err)
	}
	source := "admin " + u.String()
	// Ignore the environment's proxy: the admin address is nearby, and that proxy
	// may well be tlslift itself.
	api := adminAPI{access.source(u, adminPeer, nil)}
	clients, err := api.clients(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	r := newReport(source, clients.Generated, time.Duration(clients.MigratedAfterSeconds)*time.Second, clients.Clients)
	var summary ledger.Summary
	if err := api.fetch(ctx, u.JoinPath("api/v1/summary"), &summary); err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	r.instance = summary.Instance
	r.Summary.History, r.Summary.BurnDown, r.Summary.Forecast = summary.History, summary.BurnDown, summary.Forecast
	r.Summary.InsecureWeekAgo, r.Summary.ActiveWeekAgo = summary.InsecureWeekAgo, summary.ActiveWeekAgo
	r.Summary.Tracked, r.Summary.Limit, r.Summary.Overflowed = summary.Tracked, summary.Limit, summary.Overflowed
	return r, nil
}

// adminAPI is the API of one instance.
type adminAPI struct{ source }

// clients reads all clients, page by page, as if they were one answer.
func (a *adminAPI) clients(ctx context.Context) (all ledger.Listing, err error) {
	target := a.url.JoinPath("api/v1/clients")
	for first := true; first || all.NextCursor != ""; first = false {
		var page ledger.Listing
		if err := a.fetch(ctx, target, &page); err != nil {
			return all, err
		}
		if page.Generated.IsZero() { // another program's JSON must not look like an empty list
			return all, notAdmin("its answer has no clients")
		}
		page.Clients = append(all.Clients, page.Clients...)
		if page.NextCursor != "" && len(page.Clients) == len(all.Clients) || len(page.Clients) > maxClients {
			return all, notAdmin("its pages do not end")
		}
		if !first {
			page.Generated = all.Generated
		}
		all = page
		target.RawQuery = url.Values{"cursor": {page.NextCursor}}.Encode()
	}
	return all, nil
}

// fetch reads one answer. If the instance is busy, it retries when the instance says.
func (a *adminAPI) fetch(ctx context.Context, target *url.URL, into any) error {
	for try := 1; ; try++ {
		again, err := a.fetchOnce(ctx, target, into)
		if again == 0 || try == maxTries {
			return err
		}
		pause := time.NewTimer(again)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		}
	}
}

// fetchOnce asks once. again is when to retry; 0 = not at all.
func (a *adminAPI) fetchOnce(ctx context.Context, target *url.URL, into any) (again time.Duration, err error) {
	answer, err := a.get(ctx, target)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 && answer.StatusCode == http.StatusServiceUnavailable {
		again = min(time.Duration(seconds)*time.Second, maxPause)
		return again, fmt.Errorf("it is busy (%s)", answer.Status)
	}
	return 0, a.decode(answer, into)
}

func (a *adminAPI) decode(answer *http.Response, into any) error {
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s: %s", answer.Status, a.advise(answer))
	}
	if kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";"); kind != "application/json" {
		return notAdmin("its answer is of type " + cmp.Or(kind, "unknown"))
	}
	if err := decode(answer, maxAnswer, into); err != nil {
		return notAdmin(err.Error())
	}
	return nil
}

// advise says what to do about an error answer.
func (a *adminAPI) advise(answer *http.Response) string {
	switch {
	case answer.Header.Get("Tlslift-Error") != "":
		return "tlslift takes calls there; " + giveAdmin
	case answer.StatusCode == http.StatusMisdirectedRequest:
		return "it does not know that name; use its IP address, or add the name to admin.hosts"
	case answer.StatusCode == http.StatusUnauthorized && a.access.Token != "":
		return "it does not accept that token; give the file of its admin.token_file with --token-file"
	case answer.StatusCode == http.StatusUnauthorized:
		return "it needs a token; give the file of its admin.token_file with --token-file"
	case answer.StatusCode == http.StatusForbidden:
		return "it shows clients only with a token; set its admin.token_file, and give that file with --token-file"
	case answer.StatusCode == http.StatusNotFound && strings.Trim(a.url.Path, "/") != "":
		return "give the address without " + a.url.Path
	}
	return "is this tlslift's admin address? (admin.public shows no clients)"
}

// FromState reads a ledger's file as of now. If migratedAfter is positive, it
// overrides the setting in the file.
func FromState(path string, now time.Time, migratedAfter time.Duration) (*Report, error) {
	l, err := ledger.ReadFile(path, now, migratedAfter)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no state file %s: a running tlslift with state.file writes it within 10 s of a change", path)
	}
	if err != nil {
		return nil, err
	}
	r := newReport("state file "+path, now, 0, l.Snapshot())
	r.Summary = l.Summary()
	r.instance, r.Summary.Instance = r.Summary.Instance, ""
	r.Summary.Limit = 0 // the instance's limit is not in its file
	return r, nil
}
