package prom

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Series is a series with its samples, oldest first.
type Series struct {
	Labels  map[string]string `json:"metric"`
	Samples []Sample          `json:"values"`
}

// Sample is a value at a time in milliseconds since 1970.
type Sample struct {
	At    int64
	Value float64
}

// UnmarshalJSON reads [seconds, "value"].
func (s *Sample) UnmarshalJSON(text []byte) error {
	at, value, ok := strings.Cut(strings.Trim(string(text), "[]"), ",")
	if !ok {
		return fmt.Errorf("sample %s", text)
	}
	seconds, err := strconv.ParseFloat(at, 64)
	if err != nil {
		return err
	}
	s.At = int64(seconds*1000 + 0.5)
	s.Value, err = strconv.ParseFloat(strings.Trim(value, ` "`), 64)
	return err
}

// Query evaluates expr at one time: one sample for each series. A scalar is a
// series without labels.
func (s *Server) Query(ctx context.Context, expr string, at time.Time) ([]Series, error) {
	return s.query(ctx, "/api/v1/query", url.Values{"query": {expr}, "time": {seconds(at)}})
}

// QueryRange evaluates expr at from, from+step and so on, up to to.
func (s *Server) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	return s.query(ctx, "/api/v1/query_range", url.Values{
		"query": {expr}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {strconv.FormatFloat(step.Seconds(), 'f', 3, 64)},
	})
}

func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }

func (s *Server) query(ctx context.Context, path string, form url.Values) ([]Series, error) {
	var answer struct {
		Type   string          `json:"resultType"`
		Result json.RawMessage `json:"result"`
	}
	if err := s.Get(ctx, path+"?"+form.Encode(), &answer); err != nil {
		return nil, fmt.Errorf("query %s: %w", form.Get("query"), err)
	}
	var series []Series
	var err error
	switch answer.Type {
	case "matrix":
		err = json.Unmarshal(answer.Result, &series)
	case "scalar":
		series = make([]Series, 1)
		series[0].Samples = make([]Sample, 1)
		err = json.Unmarshal(answer.Result, &series[0].Samples[0])
	case "vector":
		var vector []struct {
			Labels map[string]string `json:"metric"`
			Sample Sample            `json:"value"`
		}
		err = json.Unmarshal(answer.Result, &vector)
		for _, v := range vector {
			series = append(series, Series{v.Labels, []Sample{v.Sample}})
		}
	default:
		err = fmt.Errorf("an answer of type %q", answer.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", form.Get("query"), err)
	}
	return series, nil
}

// Get reads the data of an answer of the API into v.
func (s *Server) Get(ctx context.Context, path string, v any) error {
	text, err := s.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	answer := struct {
		Status string `json:"status"`
		Data   any    `json:"data"`
	}{Data: v}
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if answer.Status != "success" {
		return fmt.Errorf("status %q", answer.Status)
	}
	return nil
}
