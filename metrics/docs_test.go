package metrics

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tlslift/metrics/ledger"
	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
	"tlslift/proxy/rewrite"
)

const reference = "../docs/metrics.md"

var quoted = regexp.MustCompile("`([^`]+)`")

// documented returns the rows of the reference's tables that begin with a
// quoted word, cell by cell.
func documented(t *testing.T) [][]string {
	t.Helper()
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|"))
		}
	}
	return rows
}

func quotedWords(cell string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		out = append(out, m[1])
	}
	slices.Sort(out)
	return out
}

// TestTheReferenceIsComplete compares docs/metrics.md with what a registry
// exports: names, types and labels, both ways.
func TestTheReferenceIsComplete(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ledger.Settings{Upstreams: []string{"*.smsportal.com"}, Clients: []ledger.Configured{{Name: "billing"}}, LabelLimit: 1})
	f.exerciseClient("10.1.2.3")
	exerciseService(f.Metrics)
	exported := make(map[string]string)
	for _, mf := range f.gather(t) {
		var labels []string
		for _, l := range mf.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		slices.Sort(labels)
		exported[mf.GetName()] = strings.ToLower(mf.GetType().String()) + " " + strings.Join(labels, ",")
	}
	for _, row := range documented(t) {
		name := quotedWords(row[0])[0]
		if !strings.HasPrefix(name, namespace+"_") {
			continue
		}
		got := strings.TrimSpace(row[1]) + " " + strings.Join(quotedWords(row[2]), ",")
		switch want, ok := exported[name]; {
		case !ok:
			t.Errorf("%s is in the reference and not exported, or is there twice", name)
		case got != want:
			t.Errorf("%s is %q in the reference, %q in truth", name, got, want)
		}
		delete(exported, name)
	}
	for name := range exported {
		t.Errorf("%s is exported and not in the reference", name)
	}
}

// TestTheReferenceKnowsEveryLabelValue compares the closed sets.
func TestTheReferenceKnowsEveryLabelValue(t *testing.T) {
	t.Parallel()
	closed := map[string][]string{
		"tls_version":      strs(call.Versions[:]),
		"insecure":         {"true", "false"},
		"ingress":          strs(call.Ingresses[:]),
		"handling":         strs(call.Handlings[:]),
		"framing":          {"tls", "sslv2"},
		"sni":              {"yes", "no"},
		"over":             {"clear", "old_tls"},
		"delivery":         {problem.NotSent.String(), problem.Unknown.String()},
		"from":             slices.DeleteFunc(strs(call.Versions[:]), func(v string) bool { return v == "ssl3" }),
		"origin":           {"upstream", "tlslift"},
		"phase":            strs(call.Phases[:]),
		"state":            poolStates[:],
		"reason client":    strs(call.HandshakeFailures[:]),
		"reason denied":    strs(problem.DeniedReasons[:]),
		"reason upstream":  strs(problem.UpstreamReasons[:]),
		"kind credentials": strs(redact.AllKinds[:]),
		"kind rewrites":    strs(rewrite.Kinds[:]),
		"kind clients":     {"tracked", "labelled"},
		"resource":         strs(Resources[:]),
		"verdict":          strs(ledger.Verdicts[:]),
	}
	keys := map[string]string{
		"tlslift_client_handshake_failures_total": "reason client", "tlslift_denied_total": "reason denied",
		"tlslift_upstream_failures_total": "reason upstream", "tlslift_client_credentials_exposed_total": "kind credentials",
		"tlslift_rewrites_total": "kind rewrites", "tlslift_clients": "kind clients",
	}
	for _, row := range documented(t) {
		if len(row) != 2 {
			continue
		}
		names := quoted.FindAllStringSubmatch(row[0], -1)
		key := names[0][1]
		if len(names) == 2 && keys[names[1][1]] != "" {
			key = keys[names[1][1]]
		}
		values, _, _ := strings.Cut(row[1], "(the last")
		want := slices.Sorted(slices.Values(closed[key]))
		if got := quotedWords(values); !slices.Equal(got, want) {
			t.Errorf("%s: the reference has %v, the code %v", key, got, want)
		}
		delete(closed, key)
	}
	for key := range closed {
		t.Errorf("the reference lacks the values of %s", key)
	}
}

func strs[T interface{ String() string }](values []T) []string {
	var out []string
	for _, v := range values {
		out = append(out, v.String())
	}
	return out
}

// TestTheQueriesParse has promtool read each query of the reference, where it
// is installed, and looks every metric in them up.
func TestTheQueriesParse(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, row := range documented(t) {
		known[quotedWords(row[0])[0]] = true
	}
	rules := "groups:\n- name: reference\n  rules:\n"
	name := regexp.MustCompile(`tlslift_[a-z_]+`)
	blocks := regexp.MustCompile("(?s)```promql\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 10 {
		t.Fatalf("only %d queries were found", len(blocks))
	}
	for _, block := range blocks {
		for _, metric := range name.FindAllString(block[1], -1) {
			if !known[strings.TrimSuffix(metric, "_bucket")] {
				t.Errorf("%s is in a query and not in the reference", metric)
			}
		}
		rules += "  - record: query\n    expr: |\n      " + strings.ReplaceAll(strings.TrimSpace(block[1]), "\n", "\n      ") + "\n"
	}
	promtool := findPromtool(t)
	if promtool == "" {
		return
	}
	file := t.TempDir() + "/rules.yaml"
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
		t.Errorf("promtool check rules: %v\n%s\n%s", err, out, rules)
	}
}
