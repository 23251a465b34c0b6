package page

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"tlslift/metrics/ledger"
	"tlslift/proxy/suggest"
)

// maxClients is the maximum and default number of clients in one answer of the
// API: about 600 KB.
const maxClients = 1000

// apiParameters are the parameters of GET /api/v1/clients. state, verdict and q
// select clients as on the page. limit is how many to return, 1 to 1000, and
// cursor is the next_cursor of the previous answer. The page's sorting parameters
// are accepted, but have no effect.
var (
	apiParameters  = []string{"state", "verdict", "q", "limit", "cursor"}
	pageParameters = []string{"sort", "order", "page"}
)

// knownParameters returns an error for the first unknown parameter.
func knownParameters(q url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(q)) {
		if !slices.Contains(apiParameters, name) && !slices.Contains(pageParameters, name) {
			return errors.New(suggest.Unknown("parameter", name, apiParameters))
		}
	}
	return nil
}

func (s *server) apiClients(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f, badFilter := parseFilter(q)
	after, limit, badPage := parsePage(q)
	if err := cmp.Or(knownParameters(q), badFilter, badPage); err != nil {
		answerError(w, http.StatusBadRequest, err.Error())
		return
	}
	answer := ledger.Listing{
		Generated:            s.Clock().UTC().Truncate(time.Second),
		MigratedAfterSeconds: int64(s.Ledger.MigratedAfter() / time.Second),
	}
	var more bool
	if answer.Clients, more = s.Ledger.Page(after, limit, f.selects); more {
		answer.NextCursor = cursorAfter(answer.Clients[limit-1].Client)
	}
	answerJSON(w, http.StatusOK, answer)
}

// parsePage returns which clients are asked for: those after a name, up to a limit.
func parsePage(q url.Values) (after string, limit int, err error) {
	limit = maxClients
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxClients {
			return "", 0, fmt.Errorf("limit %q is not a number from 1 to %d", cut(text, 40), maxClients)
		}
	}
	name, err := base64.RawURLEncoding.Strict().DecodeString(q.Get("cursor"))
	if err != nil || !utf8.Valid(name) {
		return "", 0, fmt.Errorf("cursor %q is not a next_cursor", cut(q.Get("cursor"), 40))
	}
	return string(name), limit, nil
}

// cursorAfter returns the cursor for the clients after a name. It stays valid
// when that client is gone.
func cursorAfter(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func (s *server) apiClient(w http.ResponseWriter, r *http.Request) {
	row, ok := s.Ledger.Row(clientName(r))
	if !ok {
		answerError(w, http.StatusNotFound, "no such client")
		return
	}
	answerJSON(w, http.StatusOK, row)
}

func (s *server) apiSummary(w http.ResponseWriter, _ *http.Request) {
	answerJSON(w, http.StatusOK, s.Ledger.Summary())
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	protect(w)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // fails only if the caller is gone
}

func answerError(w http.ResponseWriter, status int, message string) {
	answerJSON(w, status, map[string]string{"error": message})
}
