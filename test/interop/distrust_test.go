package interop

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"tlslift/test/harness"
)

// TestModernClientsThatDistrustTheUpstream: real clients without the upstream's
// root, spliced, at each version that it may speak. None is migrated, each is
// told what it lacks, in one line of the log.
func TestModernClientsThatDistrustTheUpstream(t *testing.T) {
	all := distrustingModernClients()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			s := startTLSAt(t, version, len(all), "", ourRoot)
			t.Run("clients", func(t *testing.T) {
				for i, c := range all {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						c.need(t)
						s.distrusts(t, c, i)
					})
				}
			})
			if n := s.portal.Count(); n != 0 {
				t.Errorf("%d requests went up", n)
			}
			m := s.Metrics()
			if m.Has("tlslift_client_connections_total") || m.Sum("tlslift_client_last_secure_timestamp_seconds") != 0 {
				t.Errorf("somebody got through: %v", m["tlslift_client_connections_total"])
			}
		})
	}
}

func (s *tlsStage) distrusts(t *testing.T, c tlsClient, n int) {
	t.Helper()
	output, problems, err := s.attempt(t, c, "connect", n)
	if strings.Contains(output, echo("GET", "/exchange/get", "")) {
		t.Fatalf("it trusts anybody: %v, %s", err, problems)
	}
	name := fmt.Sprintf("c%d", n)
	reason := s.failure(t, name)
	if c.leaves != (reason == "no_call" || reason == "eof") || !c.leaves && reason != "client_rejected_upstream" {
		t.Errorf("counted as %q: %v\n%s", reason, err, problems)
	}
	p := s.In(t)
	tunnel := p.WaitLog(harness.Match{"msg": "tunnel", "client": name, "handling": "spliced"})
	if tunnel.String("handshake") != reason || tunnel.String("delivery") != "" || !c.leaves && tunnel.String("end") != "handshake" {
		t.Errorf("the log says %v", tunnel)
	}
	told := map[string]int{} // by connection: some try again
	for _, line := range p.Lines(0, harness.Match{"client": name}) {
		if line.String("advice") == "" {
			continue
		}
		if told[line.String("client_addr")]++; line.String("reason") != reason || !strings.Contains(line.String("advice"), "root certificates") {
			t.Errorf("the log says %v", line)
		}
	}
	for from, n := range told {
		if n != 1 {
			t.Errorf("%d lines say it of the connection from %s", n, from)
		}
	}
	if len(told) == 0 {
		t.Error("the log has no advice")
	}
	if row := s.row(t, name); row.Verdict != "distrusts-upstream" || row.State != "no-calls" || row.Fix == "" {
		t.Errorf("stands %+v", row)
	}
	t.Logf("%s: %s, %s", c.name, reason, tunnel.String("tls_version"))
}

// TestModernClientsThatDistrustTheCA: the same clients, terminated, without
// tlslift's root. OpenSSL says so by an alert in clear in TLS 1.3.
func TestModernClientsThatDistrustTheCA(t *testing.T) {
	all := distrustingModernClients()
	names := make([]string, len(all))
	for i := range all {
		names[i] = fmt.Sprintf("c%d", i)
	}
	s := startTLS(t, len(all), "legacy_tls: {terminate_clients: ["+strings.Join(names, ", ")+"]}", upstreamRoot)
	t.Run("clients", func(t *testing.T) {
		for i, c := range all {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.need(t)
				output, problems, err := s.attempt(t, c, "connect", i)
				if strings.Contains(output, echo("GET", "/exchange/get", "")) {
					t.Fatalf("it trusts anybody: %v, %s", err, problems)
				}
				reason := s.failure(t, names[i])
				if c.leaves != (reason == "no_call" || reason == "eof") || !c.leaves && reason != "client_rejected_ca" {
					t.Errorf("counted as %q: %v\n%s", reason, err, problems)
				}
				s.In(t).WaitLog(harness.Match{"msg": "tunnel", "client": names[i], "decision": "terminate", "handshake": reason})
				if row := s.row(t, names[i]); row.Verdict != "distrusts-ca" || row.State != "no-calls" || !row.Failing || row.Fix == "" {
					t.Errorf("stands %+v", row)
				}
			})
		}
	})
	if n := s.portal.Count(); n != 0 {
		t.Errorf("%d requests went up", n)
	}
}
