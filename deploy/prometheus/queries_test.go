package prometheus_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// firsts are counters that start with their first event, each with one event.
// rate() and increase() see nothing of it.
var firsts = []string{
	`tlslift_client_requests_total{client="NAME",upstream="x",tls_version="none",insecure="true"}`,
	`tlslift_client_requests_total{client="NAME",upstream="_denied",tls_version="none",insecure="true"}`,
	`tlslift_client_connections_total{client="NAME",ingress="gateway",tls_version="none",handling="plain"}`,
	`tlslift_client_connections_total{client="NAME",ingress="connect",tls_version="1.0",handling="terminated"}`,
	`tlslift_client_hellos_total{client="NAME",max_version="1.2",framing="tls",sni="yes"}`,
	`tlslift_client_handshake_failures_total{client="NAME",reason="client_rejected_ca"}`,
	`tlslift_client_credentials_exposed_total{client="NAME",kind="query",over="clear"}`,
	`tlslift_client_credentials_exposed_total{client="NAME",kind="basic",over="old_tls"}`,
	`tlslift_responses_total{upstream="x",code="502",origin="tlslift"}`,
	`tlslift_upstream_failures_total{upstream="x",reason="reset",delivery="unknown"}`,
	`tlslift_upstream_failures_total{upstream="x",reason="tls_verify",delivery="not_sent"}`,
	`tlslift_upstream_handshakes_total{upstream="x",tls_version="1.1",cipher="c",resumed="false"}`,
	`tlslift_upstream_classic_hello_total{upstream="x"}`,
}

// reads matches a query that reads one of these counters, or a sum over a rule
// that does.
var reads = regexp.MustCompile(`tlslift_(client_(requests|connections|hellos|handshake_failures|credentials_exposed)|responses|upstream_(failures|handshakes|classic_hello))_total|:rate5m|:ratio1d`)

// TestQueriesSeeFirstValues: each query of the reference and of the runbooks on
// such a counter has a result after the one event that its page is about.
func TestQueriesSeeFirstValues(t *testing.T) {
	t.Parallel()
	tool := promtool(t)
	pages, err := filepath.Glob(runbooks + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%q]\ngroup_eval_order: [tlslift-rates, tlslift-migration, tlslift-removal, tlslift-service]\nevaluation_interval: 1m\n", here+"/rules.yml")
	b.WriteString("tests:\n  - interval: 1m\n    input_series:\n")
	series := func(name, values string) {
		fmt.Fprintf(&b, "      - {series: '%s', values: '%s'}\n", strings.Replace(name, "{", `{job="tlslift",instance="a",`, 1), values)
	}
	series("up{}", "1x40")
	series("tlslift_build_info{}", "1x40")
	series(`tlslift_client_first_seen_timestamp_seconds{client="NAME"}`, "0x19 1200x20")
	series(`tlslift_client_last_insecure_timestamp_seconds{client="NAME"}`, "0x19 1200x20")
	series(`tlslift_client_last_secure_timestamp_seconds{client="NAME"}`, "0x19 1200x20")
	for _, name := range firsts {
		series(name, "_x20 1x20")
	}
	b.WriteString("    promql_expr_test:\n")
	block := regexp.MustCompile("(?s)```promql\n(.*?)```")
	asked := 0
	for _, page := range append(pages, "../../docs/metrics.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range block.FindAllStringSubmatch(string(text), -1) {
			if !reads.MatchString(q[1]) || strings.Contains(q[1], "_bucket") {
				continue
			}
			asked++
			query := strings.Join(strings.Fields(strings.ReplaceAll(q[1], "NAMESPACE/WORKLOAD", "NAME")), " ")
			fmt.Fprintf(&b, "      # %s\n      - {expr: %q, eval_time: 22m, exp_samples: [{labels: '{}', value: 1}]}\n", filepath.Base(page), "count(("+query+") > 0) > bool 0")
		}
	}
	if asked < 15 {
		t.Errorf("only %d queries were found", asked)
	}
	file := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tool, "test", "rules", file)
}
