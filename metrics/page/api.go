package page

import (
	"encoding/json"
	"net/http"
	"time"

	"tlslift/metrics/ledger"
)

// clientsAnswer is the answer of GET /api/v1/clients. Its form is stable:
// fields may be added, never renamed. The query parameters state, verdict and q
// select clients as on the page.
type clientsAnswer struct {
	Generated            time.Time    `json:"generated"`
	MigratedAfterSeconds int64        `json:"migrated_after_seconds"`
	Clients              []ledger.Row `json:"clients"`
}

func (s *server) apiClients(w http.ResponseWriter, r *http.Request) {
	f, err := parseFilter(r.URL.Query())
	if err != nil {
		answerError(w, http.StatusBadRequest, err.Error())
		return
	}
	answer := clientsAnswer{
		Generated:            s.Clock().UTC().Truncate(time.Second),
		MigratedAfterSeconds: s.Ledger.Summary().MigratedAfterSeconds,
		Clients:              f.apply(s.Ledger.Snapshot()),
	}
	if answer.Clients == nil {
		answer.Clients = []ledger.Row{}
	}
	answerJSON(w, http.StatusOK, answer)
}

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
	_ = json.NewEncoder(w).Encode(v) // the caller has gone: nobody is left to tell
}

func answerError(w http.ResponseWriter, status int, message string) {
	answerJSON(w, status, map[string]string{"error": message})
}
