package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// tlsResult is one cell of the matrix: what a client did by one way in.
type tlsResult struct {
	done        bool
	connections int // for the whole exchange
	version     string
	suite       string
	library     string
	reason      string // of a failure
	verdict     string
}

// exchange lets a client make its exchange by way of the n-th listener.
func (s *tlsStage) exchange(t *testing.T, c tlsClient, way string, n int) bool {
	t.Helper()
	output, problems, err := s.attempt(t, c, way, n)
	if c.raw {
		if output, err = bodies(output); err != nil {
			t.Errorf("an answer cannot be read: %v", err)
		}
	}
	if !c.content(output) {
		t.Errorf("%d bytes were answered, of %d, or others: %v\n%.2000s\n%.200s", len(output), len(exchanged()), err, problems, output)
		return false
	}
	if err != nil {
		t.Errorf("%v\n%s", err, problems)
	}
	return true
}

// attempt lets a client try.
func (s *tlsStage) attempt(t *testing.T, c tlsClient, way string, n int) (output, problems string, err error) {
	t.Helper()
	what, command := s.call(t, c, way, n)
	input := ""
	if c.raw {
		input = spelledOut(strings.TrimPrefix(what.base, "https://"))
		harness.WriteFile(t, filepath.Join(s.dir, "request-"+what.port), input)
	}
	return talk(t, command, s.env(c, what), input)
}

// tlsWays are the ways in, as the metrics call them.
var tlsWays = []string{"connect", "tls"}

// TestOldTLSClients is the matrix: each client, by CONNECT and directly, makes
// its whole exchange, and is known for what it is.
func TestOldTLSClients(t *testing.T) {
	all := oldTLSClients()
	s := startTLS(t, len(all)*len(tlsWays), "legacy_tls: {rc4: true, handshake_timeout: 1m}\n", ourRoot)
	results := eachWay(t, all, s.judge)
	compareTable(t, "matrix", matrixTable(all, results), complete(all, results))
}

// TestModernTLSClients: with none of our CA they see the upstream's own
// certificate, and no leaf is ever minted.
func TestModernTLSClients(t *testing.T) {
	all := modernTLSClients()
	s := startTLS(t, len(all)*len(tlsWays), "legacy_tls: {handshake_timeout: 1m}\n", upstreamRoot)
	results := eachWay(t, all, s.judgeModern)
	if minted := s.Metrics().Sum("tlslift_leaf_certificates_minted_total"); minted != 0 {
		t.Errorf("%v leaves were minted", minted)
	}
	if requests := s.Metrics().Sum("tlslift_client_requests_total", "upstream", "*.mymobileapi.com"); requests != 0 {
		t.Errorf("%v requests were seen inside spliced TLS", requests)
	}
	compareTable(t, "modern", modernTable(all, results), complete(all, results))
}

// TestHopelessTLSClients are refused, counted by the right reason, and told
// from one another in the log.
func TestHopelessTLSClients(t *testing.T) {
	all := hopelessTLSClients()
	s := startTLS(t, len(all)*len(tlsWays), "legacy_tls: {handshake_timeout: 1m}\n", ourRoot)
	results := eachWay(t, all, s.judgeHopeless)
	compareTable(t, "hopeless", hopelessTable(all), complete(all, results))
}

// TestDistrustingTLSClients: a client that does not trust tlslift's root
// gets no further, and the log says what to install.
func TestDistrustingTLSClients(t *testing.T) {
	all := distrustingTLSClients()
	s := startTLS(t, len(all)*len(tlsWays), "legacy_tls: {handshake_timeout: 1m}\n", upstreamRoot)
	results := eachWay(t, all, s.judgeDistrust)
	compareTable(t, "distrust", distrustTable(all, results), complete(all, results))
	if n := s.portal.Count(); n != 0 {
		t.Errorf("%d requests went up", n)
	}
}

// complete reports whether every cell of a table was proved by this run.
func complete(all []tlsClient, results [][]tlsResult) bool {
	for i, c := range all {
		for j, r := range results[i] {
			if !r.done && (!c.proxyOnly || j == 0) {
				return false
			}
		}
	}
	return true
}

// eachWay runs every client by every way in that it has, and returns what the
// table says of it.
func eachWay(t *testing.T, all []tlsClient, one func(t *testing.T, c tlsClient, way string, n int) tlsResult) [][]tlsResult {
	t.Helper()
	results := make([][]tlsResult, len(all))
	t.Run("clients", func(t *testing.T) {
		for i, c := range all {
			results[i] = make([]tlsResult, len(tlsWays))
			for j, way := range tlsWays {
				if c.proxyOnly && way != "connect" {
					continue
				}
				t.Run(c.name+" "+c.tls+" "+way, func(t *testing.T) {
					t.Parallel()
					c.need(t)
					results[i][j] = one(t, c, way, i*len(tlsWays)+j)
				})
			}
		}
	})
	return results
}

// need skips the test, or fails it, when the client is not installed.
func (c tlsClient) need(t *testing.T) {
	t.Helper()
	switch missing := c.missing(); {
	case missing == "":
	case os.Getenv(requireVariable) == "require":
		t.Fatalf("%s is not installed; run test/interop/install.sh", missing)
	default:
		absent.add(missing)
		t.Skipf("%s is not installed", missing)
	}
}

// judge has a client make its exchange, and compares what tlslift has seen of
// it with what it is.
func (s *tlsStage) judge(t *testing.T, c tlsClient, way string, n int) tlsResult {
	t.Helper()
	if !s.exchange(t, c, way, n) {
		return tlsResult{}
	}
	name := fmt.Sprintf("c%d", n)
	requests := exchangeKept + 3
	p := s.In(t)
	p.WaitMetric(float64(requests), "tlslift_client_requests_total", "client", name)
	m := p.Metrics()
	connections := m.Sum("tlslift_client_connections_total", "client", name, "ingress", way, "tls_version", c.version, "handling", "terminated")
	for what, ok := range map[string]bool{
		"requests":    m.Sum("tlslift_client_requests_total", "client", name, "tls_version", c.version, "insecure", "true") == float64(requests),
		"connections": connections >= 1 && m.Sum("tlslift_client_connections_total", "client", name) == connections,
		"hellos":      m.Sum("tlslift_client_hellos_total", "client", name, "max_version", c.version, "framing", c.framing, "sni", c.sni) == connections,
		"failures":    m.Sum("tlslift_client_handshake_failures_total", "client", name) == 0,
	} {
		if !ok {
			t.Errorf("the %s of %s are counted wrong: %v", what, name, m["tlslift_client_"+what+"_total"])
		}
	}
	line := p.WaitLog(harness.Match{"msg": "request", "client": name})
	row := s.row(t, name)
	if row.Library != c.library {
		t.Errorf("the library is taken for %q, it is %q (%s)", row.Library, c.library, row.JA4)
	}
	want := "legacy-only"
	if c.framing == "sslv2" {
		want = "sslv2-framed"
	}
	if row.Verdict != want || row.State != "insecure" || row.Fix == "" {
		t.Errorf("stands %+v", row)
	}
	return tlsResult{done: true, connections: int(connections), suite: line.String("tls_cipher"), library: row.Library}
}

// judgeModern is judge for a client that must be spliced.
func (s *tlsStage) judgeModern(t *testing.T, c tlsClient, way string, n int) tlsResult {
	t.Helper()
	if !s.exchange(t, c, way, n) {
		return tlsResult{}
	}
	name := fmt.Sprintf("c%d", n)
	line := s.In(t).WaitLog(harness.Match{"msg": "tunnel", "client": name, "handling": "spliced", "host": tlsHost})
	m := s.In(t).Metrics()
	version := line.String("tls_version")
	if m.Sum("tlslift_client_connections_total", "client", name, "ingress", way, "handling", "spliced", "tls_version", version) == 0 ||
		m.Sum("tlslift_client_connections_total", "client", name, "handling", "terminated") != 0 ||
		m.Sum("tlslift_client_handshake_failures_total", "client", name) != m.Sum("tlslift_client_handshake_failures_total", "client", name, "reason", "no_call") {
		t.Errorf("the connections are counted wrong: %v", m["tlslift_client_connections_total"]) // browsers connect in advance, and leave
	}
	row := s.row(t, name)
	if row.Library != c.library {
		t.Errorf("the library is taken for %q, it is %q (%s)", row.Library, c.library, row.JA4)
	}
	if row.Verdict != "capable" || row.State != "migrated" {
		t.Errorf("stands %+v", row)
	}
	return tlsResult{done: true, version: version, suite: line.String("tls_cipher"), library: row.Library}
}

// failure waits for the client's first failure and returns its reason. That no
// other reason was counted is part of it.
func (s *tlsStage) failure(t *testing.T, name string) string {
	t.Helper()
	const metric = "tlslift_client_handshake_failures_total"
	p := s.In(t)
	p.WaitMetric(1, metric, "client", name)
	reason := ""
	for _, sample := range p.Metrics()[metric] {
		if sample.Labels["client"] == name && sample.Value > 0 {
			reason = strings.TrimPrefix(reason+" "+sample.Labels["reason"], " ")
		}
	}
	return reason
}

func (s *tlsStage) judgeHopeless(t *testing.T, c tlsClient, way string, n int) tlsResult {
	t.Helper()
	output, problems, err := s.attempt(t, c, way, n)
	if strings.Contains(output, echo("GET", "/exchange/get", "")) {
		t.Fatalf("it got in: %v, %s", err, problems)
	}
	name := fmt.Sprintf("c%d", n)
	reason := s.failure(t, name)
	if reason != c.fails {
		t.Errorf("counted as %q, want %q: %v\n%s", reason, c.fails, err, problems)
	}
	if line := s.In(t).WaitLog(harness.Match{"msg": "handshake failed", "client": name}); line.String("advice") == "" || line.String("reason") != c.fails {
		t.Errorf("the log says %v", line)
	}
	if row := s.row(t, name); row.Verdict != "legacy-only" && row.Verdict != "sslv2-framed" && row.Verdict != "shut-out" || row.State != "no-calls" {
		t.Errorf("stands %+v", row)
	}
	return tlsResult{done: true, reason: reason}
}

func (s *tlsStage) judgeDistrust(t *testing.T, c tlsClient, way string, n int) tlsResult {
	t.Helper()
	output, problems, err := s.attempt(t, c, way, n)
	if strings.Contains(output, echo("GET", "/exchange/get", "")) {
		t.Fatalf("it trusts anybody: %v, %s", err, problems)
	}
	name := fmt.Sprintf("c%d", n)
	reason := s.failure(t, name)
	// "handshake failed", or "the client left after the handshake"; it may come after the count.
	if line := s.In(t).WaitLog(harness.Match{"level": "warn", "client": name}); !strings.Contains(line.String("advice"), "trust") {
		t.Errorf("the log says %v", line)
	}
	return tlsResult{done: true, reason: reason, verdict: s.row(t, name).Verdict}
}
