package harness

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Sample is one series at the moment of a scrape. Of a histogram the value is
// the number of observations.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Families are scraped samples by metric name.
type Families map[string][]Sample

// Get fetches a path from the admin listener.
func (p *Process) Get(path string) (status int, body string) {
	p.t.Helper()
	client := &http.Client{Timeout: Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + p.AdminAddr() + path)
	if err != nil {
		p.t.Fatalf("asking the admin listener for %s: %v", path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("reading %s: %v", path, err)
	}
	return response.StatusCode, string(text)
}

// Metrics scrapes the admin listener.
func (p *Process) Metrics() Families {
	p.t.Helper()
	status, text := p.Get("/metrics")
	for end := time.Now().Add(Patience); status == http.StatusServiceUnavailable && time.Now().Before(end); <-time.After(50 * time.Millisecond) {
		status, text = p.Get("/metrics") // other tests of the process ask too, and only so many are answered at a time
	}
	if status != http.StatusOK {
		p.t.Fatalf("/metrics answered %d", status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		p.t.Fatalf("the metrics do not parse: %v", err)
	}
	families := Families{}
	for name, family := range parsed {
		for _, metric := range family.GetMetric() {
			sample := Sample{Labels: map[string]string{}, Value: metric.GetCounter().GetValue() + metric.GetGauge().GetValue() +
				metric.GetUntyped().GetValue() + float64(metric.GetHistogram().GetSampleCount())}
			for _, label := range metric.GetLabel() {
				sample.Labels[label.GetName()] = label.GetValue()
			}
			families[name] = append(families[name], sample)
		}
	}
	return families
}

// Sum adds up the samples of a metric whose labels have the given values:
// name, value, name, value ...
func (f Families) Sum(name string, labels ...string) float64 {
	total := 0.0
	for _, sample := range f[name] {
		if sample.has(labels) {
			total += sample.Value
		}
	}
	return total
}

// Has reports whether a series with these labels exists, at whatever value.
func (f Families) Has(name string, labels ...string) bool {
	for _, sample := range f[name] {
		if sample.has(labels) {
			return true
		}
	}
	return false
}

func (s Sample) has(labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		if s.Labels[labels[i]] != labels[i+1] {
			return false
		}
	}
	return true
}

// WaitMetric scrapes until a sum has reached a value: what tlslift counts
// after it answered is not there at once.
func (p *Process) WaitMetric(want float64, name string, labels ...string) {
	p.t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.Now().Add(Patience)
	for {
		got := p.Metrics().Sum(name, labels...)
		if got >= want {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%s%v is %v, want %v", name, labels, got, want)
		}
		<-ticker.C
	}
}
