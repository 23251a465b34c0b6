package admin

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestScrapeFormats(t *testing.T) {
	t.Parallel()
	h := New(full(t)).PublicHandler()
	const protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	for name, tt := range map[string]struct{ accept, contentType, want string }{
		"text":        {"", "text/plain", "test_total 1\n"},
		"openmetrics": {"application/openmetrics-text;version=1.0.0", "application/openmetrics-text", `# {request_id="x"}`},
		"protobuf":    {protobuf, "application/vnd.google.protobuf", ""},
	} {
		resp := ask(h, "GET", "/metrics", "pod", "Accept", tt.accept, "Accept-Encoding", "gzip")
		if resp.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(resp.Header.Get("Content-Type"), tt.contentType) {
			t.Errorf("%s: headers %v", name, resp.Header)
			continue
		}
		zr, err := gzip.NewReader(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(zr)
		if err != nil {
			t.Fatal(err)
		}
		if tt.want != "" {
			if !bytes.Contains(text, []byte(tt.want)) {
				t.Errorf("%s lacks %q:\n%s", name, tt.want, text)
			}
			continue
		}
		native := false
		dec := expfmt.NewDecoder(bytes.NewReader(text), expfmt.NewFormat(expfmt.TypeProtoDelim))
		for {
			var mf dto.MetricFamily
			if err := dec.Decode(&mf); err != nil {
				break
			}
			if mf.GetName() == "test_seconds" {
				native = len(mf.GetMetric()[0].GetHistogram().GetPositiveDelta()) > 0
			}
		}
		if !native {
			t.Error("no native histogram over protobuf")
		}
	}
}

// broken is a collector that contradicts itself.
type broken struct{ desc *prometheus.Desc }

func (b broken) Describe(c chan<- *prometheus.Desc) { c <- b.desc }

func (b broken) Collect(c chan<- prometheus.Metric) {
	for range 2 {
		c <- prometheus.MustNewConstMetric(b.desc, prometheus.GaugeValue, 1)
	}
}

func TestAScrapeThatFailsIsLoggedAndShowsTheRest(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.DebugLevel)
	reg := testRegistry(t)
	reg.MustRegister(broken{prometheus.NewDesc("broken", "Twice.", nil, nil)})
	o := full(t)
	o.Gatherer, o.Logger = reg, zap.New(core)
	h := New(o).PublicHandler()
	resp := ask(h, "GET", "/metrics", "pod")
	if got := body(t, resp); resp.StatusCode != 200 || !strings.Contains(got, "test_total 1") {
		t.Errorf("%d\n%s", resp.StatusCode, got)
	}
	if logs.FilterMessage("metrics scrape failed").Len() == 0 {
		t.Error("nothing was logged")
	}
}
