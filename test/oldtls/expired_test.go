package oldtls

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"tlslift/proxy/authority"
	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestCheckNotesACAThatExpiresSoon: 30 days before, or in the last third of a
// shorter life.
func TestCheckNotesACAThatExpiresSoon(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		days, left int
		noted      bool
	}{
		"31 days left":            {365, 31, false},
		"30 days left":            {365, 30, true},
		"two thirds of five days": {5, 5, false},
		"a day of five":           {5, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := time.Now().Add(time.Hour).AddDate(0, 0, tt.left-tt.days)
			if tt.noted {
				made = made.Add(-2 * time.Hour)
			}
			files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: domains, Days: tt.days, Now: made})
			if err != nil {
				t.Fatal(err)
			}
			config := harness.TempFile(t, "tlslift.yaml", fmt.Sprintf("legacy_tls: {ca: {cert_file: %q, key_file: %q}}\n", files.CA, files.Key))
			got := harness.Run(t, nil, "check", "--config", config)
			want := fmt.Sprintf("note: legacy_tls.ca: %s expires on %s: ", files.CA, made.AddDate(0, 0, tt.days).UTC().Format(time.DateOnly))
			if got.Code != 0 || strings.HasPrefix(got.Stdout, want) != tt.noted || !tt.noted && strings.Contains(got.Stdout, "note") {
				t.Errorf("status %d, %s%s; want noted %t: %s", got.Code, got.Stdout, got.Stderr, tt.noted, want)
			}
		})
	}
}

// TestAHostOutsideTheCA: check names it, tlslift starts with a warning, and the line of
// an old client that asks for it says what to do.
func TestAHostOutsideTheCA(t *testing.T) {
	t.Parallel()
	files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: []string{"example.com"}, Days: 30, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s := bare(t, portal(t, smsportal.Options{}), fmt.Sprintf("legacy_tls: {ca: {cert_file: %s, key_file: %s}}\n", files.CA, files.Key))
	const outside = "is outside the name constraints of "
	if line := s.WaitLog(harness.Match{"level": "warn", "msg": "configuration"}); !strings.Contains(line.String("problem"), outside+files.CA) {
		t.Errorf("the log says %v", line)
	}
	refused(t, say(t, ways[0].open(t, s, api), spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}.wire()), alertUnrecognizedName)
	if line := s.WaitLog(harness.Match{"msg": "handshake failed", "reason": "other"}); !strings.HasPrefix(line.String("advice"), "tlslift's CA may not speak for the host") || !strings.Contains(line.String("advice"), "--domain") {
		t.Errorf("the log says %v", line)
	}
	if got := harness.Run(t, nil, "check", "--config", s.Config); got.Code != 2 || !strings.Contains(got.Stderr, outside) {
		t.Errorf("check: status %d, %s%s", got.Code, got.Stdout, got.Stderr)
	}
}

// TestACAThatIsNotValidStopsOldClientsAlone: with a CA that has expired, or is not
// valid yet, tlslift starts, reloads and upgrades, and serves every client that
// does not need it; the others are refused until it is replaced.
func TestACAThatIsNotValidStopsOldClientsAlone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		made time.Time
		says string
	}{
		"expired":       {time.Now().AddDate(0, 0, -60), "expired on "},
		"not valid yet": {time.Now().AddDate(0, 0, 10), "is not valid before "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := authority.Init(authority.InitOptions{Dir: t.TempDir(), Domains: domains, Days: 30, Now: tt.made})
			if err != nil {
				t.Fatal(err)
			}
			config := func(f authority.Files) string {
				return fmt.Sprintf("legacy_tls: {ca: {cert_file: %s, key_file: %s}}\n", f.CA, f.Key)
			}
			up := portal(t, smsportal.Options{})
			s := bare(t, up, config(files))
			noted := func(mark harness.Mark) {
				t.Helper()
				line := s.WaitLogAfter(mark, harness.Match{"level": "warn", "msg": "configuration"})
				if problem := line.String("problem"); !strings.HasPrefix(problem, "legacy_tls.ca: "+files.CA+" "+tt.says) || !strings.Contains(problem, "docs/certificates.md") {
					t.Errorf("the log says %v", line)
				}
			}
			serves := func() {
				t.Helper()
				if answer := s.Ask(ask(legacy, credits)); answer.StatusCode != 200 {
					t.Errorf("in clear: %d", answer.StatusCode)
				}
				c := s.hello(t, connect, legacy, speaking(tls.VersionTLS12, up.Roots(), legacy))
				if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
					t.Errorf("by TLS 1.2: %d", answer.StatusCode)
				}
			}
			noted(0)
			serves()
			for i, w := range ways {
				refused(t, say(t, w.open(t, s, api), spelled{version: tls.VersionTLS10, suites: plainSuites, sni: api}.wire()), alertUnrecognizedName)
				s.WaitMetric(float64(i+1), "tlslift_client_handshake_failures_total", "reason", "other")
				line := s.WaitLogs(0, harness.Match{"msg": "handshake failed", "reason": "other"}, i+1)[i]
				if !strings.HasPrefix(line.String("advice"), "tlslift's CA has expired, or is not valid yet") || !strings.Contains(line.String("advice"), "docs/certificates.md") ||
					!strings.Contains(line.String("error"), "the CA "+tt.says) {
					t.Errorf("the log says %v", line)
				}
			}
			chain, err := authority.ParseCertificates([]byte(text(t, files.CA)))
			if err != nil {
				t.Fatal(err)
			}
			s.counts(t, wants{float64(chain[0].NotAfter.Unix()), "tlslift_ca_not_after_timestamp_seconds", nil})

			mark := s.Mark()
			s.Reconfigure(config(files) + "log: {level: info}\n")
			s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
			noted(mark)
			serves()
			if runtime.GOOS != "windows" {
				noted(s.Upgrade())
				serves()
			}
			got := harness.Run(t, nil, "check", "--config", s.Config)
			if got.Code != 0 || !strings.HasPrefix(got.Stdout, "note: legacy_tls.ca: "+files.CA+" "+tt.says) {
				t.Errorf("check: status %d, %s%s", got.Code, got.Stdout, got.Stderr)
			}

			next := sharedCA(t)
			mark = s.Mark()
			s.Reconfigure(config(next))
			s.WaitLogAfter(mark, harness.Match{"msg": "reloaded"})
			c := s.hello(t, connect, legacy, speaking(tls.VersionTLS10, poolOf(t, next.Root), legacy))
			if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
				t.Errorf("with a new CA: %d", answer.StatusCode)
			}

			mark = s.Mark() // and not back: a copy of the wrong file costs nobody the way in
			s.Reconfigure(config(files))
			line := s.WaitLogAfter(mark, harness.Match{"msg": "reload refused, the old configuration stays"})
			if problems := fmt.Sprint(line["problems"]); !strings.Contains(problems, "legacy_tls.ca: "+files.CA+" "+tt.says) || !strings.Contains(problems, "the CA in use is valid, so it stays") {
				t.Errorf("the log says %v", line)
			}
			c = s.hello(t, connect, legacy, speaking(tls.VersionTLS10, poolOf(t, next.Root), legacy))
			if answer := c.Send(ask(legacy, credits)).Answer("GET"); answer.StatusCode != 200 {
				t.Errorf("after a refused reload: %d", answer.StatusCode)
			}
		})
	}
}
