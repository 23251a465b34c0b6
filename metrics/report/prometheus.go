package report

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"tlslift/metrics/figures"
)

// Defaults of PrometheusOptions.
const (
	DefaultMigratedAfter = 14 * 24 * time.Hour
	DefaultLookback      = 90 * 24 * time.Hour
)

// maxVector limits the bytes of one answer: about 250,000 series. Holding them
// takes several times as much memory.
const maxVector = 64 << 20

// PrometheusOptions say how to query a Prometheus-compatible API.
type PrometheusOptions struct {
	URL           string // without /api/v1
	Access        Access
	Now           time.Time
	MigratedAfter time.Duration // 0 = DefaultMigratedAfter
	Lookback      time.Duration // how far back to look for series; 0 = DefaultLookback
}

// FromPrometheus reads the whole fleet. States come from the newest timestamps
// over all instances, including those that are gone, as far as the store
// remembers them. The verdict follows from the newest evidence of each kind over
// all instances (see ledger.Evidence.VerdictAt).
func FromPrometheus(ctx context.Context, o PrometheusOptions) (*Report, error) {
	u, err := address(o.URL, &o.Access)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	if o.MigratedAfter <= 0 {
		o.MigratedAfter = DefaultMigratedAfter
	}
	if o.Lookback <= 0 {
		o.Lookback = DefaultLookback
	}
	a := asker{o.Access.source(u.JoinPath("api/v1/query"), prometheusPeer, http.ProxyFromEnvironment), o.Now}
	f := newFleet(o.Now, o.MigratedAfter)
	err = a.ask(ctx, f.questions(o.Lookback))
	if err == nil && len(f.clients) == 0 {
		err = a.known(ctx, o.Lookback)
	}
	if err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", u, err)
	}
	f.settle()
	rows := f.rows()
	f.atLeastOne(rows)
	r := newReport("prometheus "+u.String(), o.Now, o.MigratedAfter, rows)
	r.fleet = true
	if err := a.forecast(ctx, r); err != nil {
		return nil, fmt.Errorf("prometheus %s: %w", u, err)
	}
	return r, nil
}

// question is one query, and what to do with each sample of the answer
// that has a client.
type question struct {
	query string
	take  func(client string, m model.Metric, v float64)
}

// asker asks instant queries, all as of one time.
type asker struct {
	source // the query endpoint
	now    time.Time
}

func (a asker) ask(ctx context.Context, questions []question) error {
	for _, q := range questions {
		vector, err := a.vector(ctx, q.query)
		if err != nil {
			return err
		}
		for _, sample := range vector {
			if client := string(sample.Metric["client"]); client != "" && len(client) <= 256 {
				q.take(client, sample.Metric, float64(sample.Value))
			}
		}
	}
	return nil
}

// known returns an error if the store has never seen a tlslift. No clients at a
// wrong address, or in a fleet that is not scraped, is not good news.
func (a asker) known(ctx context.Context, lookback time.Duration) error {
	instances, err := a.vector(ctx, instancesQuery(lookback))
	if err == nil && len(instances) == 0 {
		err = fmt.Errorf("no series of tlslift were found in %s: is this the right address, and does it scrape tlslift (/metrics)?",
			figures.Last(lookback))
	}
	return err
}

// forecast continues what the recording rules know about the past. Without the
// rules there is no pace.
func (a asker) forecast(ctx context.Context, r *Report) error {
	pace, target := math.NaN(), time.Time{}
	slope, err := a.vector(ctx, ruleSlope)
	if err != nil {
		return err
	}
	if len(slope) == 1 {
		pace = float64(slope[0].Value)
	}
	date, err := a.vector(ctx, targetQuery)
	if err == nil && len(date) == 1 {
		target = seconds(float64(date[0].Value))
	}
	r.Summary.Predict(pace, target)
	return err
}

// queryAnswer is an answer from the query endpoint.
type queryAnswer struct {
	Status    string `json:"status"`
	ErrorType string `json:"errorType"`
	Error     string `json:"error"`
	Data      struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// vector runs one instant query
// (https://prometheus.io/docs/prometheus/latest/querying/api/).
func (a asker) vector(ctx context.Context, query string) (model.Vector, error) {
	target := *a.url
	target.RawQuery = url.Values{"query": {query}, "time": {strconv.FormatInt(a.now.Unix(), 10)}}.Encode()
	response, err := a.get(ctx, &target)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%s: give --token-file, or --user and --password-file", response.Status)
	}
	// An error in the query comes as JSON too, with another status.
	var answer queryAnswer
	err = decode(response, maxVector, &answer)
	if errors.Is(err, errLarge) {
		return nil, fmt.Errorf("%w: correct the address, or give a shorter --lookback", err)
	}
	if err != nil || answer.Status == "" {
		return nil, fmt.Errorf("it does not answer as Prometheus does (%s): is this the right address, without /api/v1?", response.Status)
	}
	if answer.Status != "success" {
		return nil, fmt.Errorf("%s: %s; the query was %s", cmp.Or(answer.ErrorType, response.Status), answer.Error, query)
	}
	if answer.Data.ResultType != model.ValVector.String() {
		return nil, fmt.Errorf("the answer is a %s; the query was %s", answer.Data.ResultType, query)
	}
	var vector model.Vector
	if err := json.Unmarshal(answer.Data.Result, &vector); err != nil {
		return nil, fmt.Errorf("read the answer: %w; the query was %s", err, query)
	}
	return vector, nil
}

// seconds returns the time of a timestamp gauge.
func seconds(v float64) time.Time {
	if math.IsNaN(v) || v <= 0 || v > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(v), 0).UTC()
}
