package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"tlslift/metrics/ledger"
)

// maxAnswer bounds what is read of an admin address, in bytes: enough for a
// full ledger several times over.
const maxAnswer = 256 << 20

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
	var clients struct {
		Generated            time.Time    `json:"generated"`
		MigratedAfterSeconds int64        `json:"migrated_after_seconds"`
		Clients              []ledger.Row `json:"clients"`
	}
	if err := fetch(ctx, client, u.JoinPath("api/v1/clients").String(), &clients); err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	if clients.Generated.IsZero() { // some other program's JSON is no all-clear
		return nil, fmt.Errorf("reading %s: %w", source, errNotAdmin)
	}
	r := newReport(source, clients.Generated, time.Duration(clients.MigratedAfterSeconds)*time.Second, clients.Clients)
	var summary ledger.Summary
	if err := fetch(ctx, client, u.JoinPath("api/v1/summary").String(), &summary); err != nil {
		return nil, fmt.Errorf("reading %s: %w", source, err)
	}
	r.Summary.History = summary.History
	r.Summary.Tracked, r.Summary.Limit, r.Summary.Overflowed = summary.Tracked, summary.Limit, summary.Overflowed
	return r, nil
}

func fetch(ctx context.Context, client *http.Client, target string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return cause(err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
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
		return nil, fmt.Errorf("there is no state file %s", path)
	}
	if err != nil {
		return nil, err
	}
	r := newReport("state file "+path, now, 0, l.Snapshot())
	r.Summary = l.Summary()
	return r, nil
}
