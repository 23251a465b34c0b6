package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"tlslift/metrics/ledger"
)

// What is read of an admin address is bounded.
const (
	maxAnswer  = 16 << 20  // bytes of one answer: a page of the largest rows, or the summary
	maxClients = 2_000_000 // clients in all: more than clients.track allows
)

// A busy instance says when to ask again (503 with Retry-After).
const (
	maxTries = 30              // for one answer
	maxPause = 5 * time.Second // between two tries
)

var errNotAdmin = errors.New("it does not answer as tlslift's admin address does")

// FromAdmin reads one instance by its admin address.
func FromAdmin(ctx context.Context, admin string, access Access) (*Report, error) {
	u, err := address(admin, &access)
	if err != nil {
		return nil, fmt.Errorf("admin address: %w", err)
	}
	source := "admin " + u.String()
	client := access.client()
	if access.Transport == nil {
		// The admin address is nearby, and the environment's proxy may well be
		// tlslift itself.
		client.Transport = authorized{access, &http.Transport{}}
	}
	clients, err := fetchClients(ctx, client, u)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	r := newReport(source, clients.Generated, time.Duration(clients.MigratedAfterSeconds)*time.Second, clients.Clients)
	var summary ledger.Summary
	if err := fetch(ctx, client, u.JoinPath("api/v1/summary").String(), &summary); err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	r.Summary.History, r.Summary.BurnDown, r.Summary.Forecast = summary.History, summary.BurnDown, summary.Forecast
	r.Summary.Tracked, r.Summary.Limit, r.Summary.Overflowed = summary.Tracked, summary.Limit, summary.Overflowed
	return r, nil
}

// clientsPage is an answer of /api/v1/clients.
type clientsPage struct {
	Generated            time.Time    `json:"generated"`
	MigratedAfterSeconds int64        `json:"migrated_after_seconds"`
	Clients              []ledger.Row `json:"clients"`
	NextCursor           string       `json:"next_cursor"`
}

// fetchClients reads all clients, page by page, as if they were one answer.
func fetchClients(ctx context.Context, client *http.Client, admin *url.URL) (all clientsPage, err error) {
	target := admin.JoinPath("api/v1/clients")
	for first := true; first || all.NextCursor != ""; first = false {
		var page clientsPage
		if err := fetch(ctx, client, target.String(), &page); err != nil {
			return all, err
		}
		if page.Generated.IsZero() { // some other program's JSON is no all-clear
			return all, errNotAdmin
		}
		page.Clients = append(all.Clients, page.Clients...)
		if page.NextCursor != "" && len(page.Clients) == len(all.Clients) || len(page.Clients) > maxClients {
			return all, errNotAdmin // it would never end
		}
		if !first {
			page.Generated = all.Generated
		}
		all = page
		target.RawQuery = url.Values{"cursor": {page.NextCursor}}.Encode()
	}
	return all, nil
}

// fetch reads one answer. An instance that is busy is asked again when it says.
func fetch(ctx context.Context, client *http.Client, target string, into any) error {
	for try := 1; ; try++ {
		again, err := fetchOnce(ctx, client, target, into)
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

// fetchOnce asks once. again is when to ask once more, 0 for not at all.
func fetchOnce(ctx context.Context, client *http.Client, target string, into any) (again time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, cause(err)
	}
	defer answer.Body.Close()
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 && answer.StatusCode == http.StatusServiceUnavailable {
		again = min(time.Duration(seconds)*time.Second, maxPause)
		return again, fmt.Errorf("it is busy (%s)", answer.Status)
	}
	return 0, decode(answer, into)
}

func decode(answer *http.Response, into any) error {
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusMisdirectedRequest:
		return fmt.Errorf("%s: it does not know that name: use its IP address, or add the name to admin.hosts", answer.Status)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: give the admin token with --token-file", answer.Status)
	default:
		return fmt.Errorf("it answers %s: is this tlslift's admin address?", answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errNotAdmin, err)
	}
	return nil
}

// FromState reads a ledger's file as of now. migratedAfter overrides the
// setting in the file unless it is 0.
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
	return r, nil
}
